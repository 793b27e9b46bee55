#!/usr/bin/env bash
# Tries a deployed pipeline: what can only be seen in Azure.
#   infra/verify.sh RESOURCE_GROUP ENVIRONMENT DATA.csv TARGET
# It needs az, jq and septet, and a person who is the package's operator (operatorPrincipalId) and may
# write to the container incoming. A septet.toml with a [[container]] rule for it must be deployed.
set -euo pipefail
group=${1:?name a resource group} name=${2:?name an environment}
data=${3:?name a CSV file} target=${4:?name its target column}
failed=0
try() { # what, command…
  local what=$1
  shift
  if "$@" >/tmp/septet-verify.$$ 2>&1; then echo "ok    $what"; else
    echo "FAIL  $what"
    sed 's/^/      /' /tmp/septet-verify.$$
    failed=1
  fi
}
trap 'rm -f /tmp/septet-verify.$$' EXIT

outputs=$(az deployment group show --resource-group "$group" --name main --query properties.outputs --output json)
account=$(jq -r .DATA_ACCOUNT.value <<<"$outputs")
export Verify__accountName=$account Verify__credential=azurecli
store=azure:Verify

try "no key opens the data account" bash -c \
  "! az storage container list --account-name $account --auth-mode key"
try "nobody reads it without an identity" bash -c \
  "! curl --fail --silent https://$account.blob.core.windows.net/cas?restype=container\&comp=list"
try "the store answers its operator" septet --store "$store" runs

while read -r app site host; do
  try "$app: only TLS 1.2 and https" bash -c \
    "[ \$(az functionapp show --resource-group $group --name $site --query httpsOnly --output tsv) = true ]"
  try "$app: admin routes are not answered" bash -c \
    "code=\$(curl --silent --output /dev/null --write-out '%{http_code}' https://$host/admin/host/status); [ \$code -ge 400 ]"
  try "$app: its functions were found" bash -c \
    "[ \$(az functionapp function list --resource-group $group --name $site --query 'length(@)' --output tsv) -ge 1 ]"
done < <(jq -r '.APPS.value[] | "\(.app) \(.name) \(.host)"' <<<"$outputs")

runs() { septet --store "$store" runs --json | jq '[.runs[]?] | length'; }
before=$(runs)
try "a file arrives" az storage blob upload --auth-mode login --account-name "$account" \
  --container-name incoming --name "verify/$(date +%s)-$(basename "$data")" --file "$data"
try "it becomes a run within ten minutes" bash -c "$(declare -f runs); store=$store
  for _ in \$(seq 60); do [ \$(runs) -gt $before ] && exit 0; sleep 10; done; exit 1"
try "the run is done within thirty minutes" bash -c "
  for _ in \$(seq 180); do
    septet --store $store runs --json | jq -e '[.runs[]?.status] | .[0] == \"done\"' && exit 0; sleep 10
  done; exit 1"

# An app whose instances are gone: what it held is taken up by the sweep.
train=$(jq -r '.APPS.value[] | select(.app == "train" or .app == "all") | .name' <<<"$outputs")
if [ -n "$train" ]; then
  try "a run outlives a restart of train" bash -c "
    az storage blob upload --auth-mode login --account-name $account --container-name incoming \
      --name verify/restart-$(date +%s).csv --file $data --overwrite &&
    sleep 60 && az functionapp restart --resource-group $group --name $train &&
    for _ in \$(seq 180); do
      septet --store $store runs --json | jq -e '[.runs[]?.status] | all(. == \"done\")' && exit 0; sleep 10
    done; exit 1"
fi
echo "target column of the rule must be '$target'"
exit $failed
