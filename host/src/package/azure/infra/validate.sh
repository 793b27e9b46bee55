#!/usr/bin/env bash
# Compiles the Bicep files and asks Azure what they would change; nothing is made.
#   infra/validate.sh RESOURCE_GROUP ENVIRONMENT
set -euo pipefail
group=${1:?name a resource group} name=${2:?name an environment}
here=$(cd "$(dirname "$0")" && pwd)
az bicep build --file "$here/main.bicep" --stdout >/dev/null
az deployment group validate --resource-group "$group" --template-file "$here/main.bicep" \
  --parameters environmentName="$name" --output none
az deployment group what-if --resource-group "$group" --template-file "$here/main.bicep" \
  --parameters environmentName="$name"
