#!/bin/sh
# One step of the move, whole: a model is trained, tested and deployed, new rows are predicted and looked at.
#
#   sh run.sh 0-monolith
#
# needs `septet` on the PATH, or its place in SEPTET. Python packages go into .venv, once; step 7 needs none.
set -eu
step=${1:?which step: 0-monolith to 7-all-components}
cd "$(dirname "$0")/$step"
septet=${SEPTET:-septet}

if grep -q external septet.toml && [ -z "${VIRTUAL_ENV:-}" ]; then
  [ -e ../.venv/done ] || {
    python3 -m venv ../.venv
    ../.venv/bin/pip install --quiet -r ../requirements.txt
    touch ../.venv/done
  }
  PATH=$(cd .. && pwd)/.venv/bin:$PATH
fi

"$septet" run ../data/train.csv --test ../data/test.csv --target progression --name diabetes
"$septet" predict ../data/new.csv --model diabetes -o predictions.csv
"$septet" monitor ../data/new.csv --model diabetes
