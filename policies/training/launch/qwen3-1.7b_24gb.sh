#!/usr/bin/env bash
# REPO on Qwen3-1.7B on one card of 24 GB, which samples and learns in turn.
#   bash qwen3-1.7b_24gb.sh OUT [further options of negotiate train repo, such as --resume]
# Needs negotiation-env[train], and Qwen/Qwen3-1.7B where transformers finds it (3.4 GB). What it takes:
#   negotiate study launches qwen3-1.7b_24gb
set -euo pipefail
exec negotiate train repo --preset paper --set base=Qwen/Qwen3-1.7B --set manager=demanding:0.2 --out "$1" "${@:2}"
