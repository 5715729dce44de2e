#!/usr/bin/env bash
# REPO on Qwen3-32B, two nodes of eight H100: the first learns (FSDP), the second samples (Ray's actors).
# On both nodes at the same time, with the first one's name and a folder that both can write:
#   bash qwen3-32b_2nodes.sh FIRST OUT [further options of negotiate train repo, such as --resume]
# With Slurm:
#   srun --nodes 2 --ntasks-per-node 1 --gpus-per-node 8 bash -c \
#     'bash qwen3-32b_2nodes.sh "$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)" OUT'
# Needs on both negotiation-env[train,ray], and Qwen/Qwen3-32B where transformers finds it. What it takes:
#   negotiate study launches qwen3-32b_2nodes
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [[ $(hostname -s) != "${1%%.*}" ]]; then
  until ray health-check --address "$1:6379"; do sleep 5; done
  exec ray start --address "$1:6379" --num-gpus 8 --block
fi
ray start --head --port 6379 --num-gpus 0
trap 'ray stop' EXIT
until ray status | grep -q '/8.0 GPU'; do sleep 5; done
accelerate launch --config_file "$here/fsdp_8gpu.yaml" \
  "$(command -v negotiate)" train repo --preset paper --set manager=demanding:0.2 \
  --ray auto --workers 8 --out "$2" "${@:3}"
