#!/usr/bin/env bash
# REPO on Qwen3-32B, one node of eight H100: GPUs 0 to 3 learn (FSDP), GPUs 4 to 7 sample (Ray's actors).
#   bash qwen3-32b_8xh100.sh OUT [further options of negotiate train repo, such as --resume]
# Needs negotiation-env[train,ray], and Qwen/Qwen3-32B where transformers finds it (65.5 GB). What it takes:
#   negotiate study launches qwen3-32b_8xh100
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
CUDA_VISIBLE_DEVICES=4,5,6,7 ray start --head --num-gpus 4
trap 'ray stop' EXIT
CUDA_VISIBLE_DEVICES=0,1,2,3 accelerate launch --config_file "$here/fsdp_8gpu.yaml" --num_processes 4 \
  "$(command -v negotiate)" train repo --preset paper --set manager=demanding:0.2 \
  --ray auto --workers 4 --out "$1" "${@:2}"
