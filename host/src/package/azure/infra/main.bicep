// The pipeline behind Azure Functions. What apps, queues, containers and rights there are stands in
// rights.json; `septet azure check` holds that table against the grants of the stages.
targetScope = 'resourceGroup'

@description('Part of every name, by which several pipelines are told apart.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Where everything is.')
param location string = resourceGroup().location

@description('Object id of the person or group that operates the pipeline: promotes models, replays messages, collects garbage, sets secrets. Empty for none.')
param operatorPrincipalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string = 'User'

@description('Encrypt the data account with a key of the Key Vault instead of the platform\'s.')
param customerManagedKey bool = false

@description('Days for which a deleted blob can be brought back. Garbage collection frees the space after them.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 7

@description('Share of the traces that are kept, in percent.')
@minValue(1)
@maxValue(100)
param samplingPercentage int = 25

@description('Gigabytes of telemetry a day; what is above is dropped.')
param dailyCapGb int = 1

@description('Who is told of poison messages and failures. Empty for nobody.')
param alertEmail string = ''

@description('Instances of the app with the function predict that are always ready.')
@minValue(0)
@maxValue(20)
param alwaysReadyPredict int = 0

@description('Image of the training job, where there is one.')
param trainImage string = ''

@description('Registry of that image; the job\'s identity must be allowed to pull from it.')
param trainRegistry string = ''

var table = loadJsonContent('rights.json')
var token = uniqueString(resourceGroup().id, environmentName)
var tags = { 'azd-env-name': environmentName }
var identities = concat(table.apps, table.jobs)
var identityNames = map(identities, each => each.name)

module data 'modules/data.bicep' = {
  name: 'data'
  params: {
    name: 'data${token}'
    location: location
    tags: tags
    containers: concat(table.containers, table.incoming, ['dead-letters'])
    queues: table.queues
    softDeleteDays: softDeleteDays
    customerManagedKey: customerManagedKey
    keyVaultName: vault.outputs.name
    workspaceId: observe.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: 'kv${token}'
    location: location
    tags: tags
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module observe 'modules/observe.bicep' = {
  name: 'observe'
  params: {
    token: token
    location: location
    tags: tags
    samplingPercentage: samplingPercentage
    dailyCapGb: dailyCapGb
    alertEmail: alertEmail
  }
}

// An identity each, before anything that needs one.
module identity 'modules/identity.bicep' = [for app in identities: {
  name: 'identity-${app.name}'
  params: {
    name: '${table.prefix}-${app.name}-${token}'
    location: location
    tags: tags
  }
}]

module writer 'modules/writer-role.bicep' = {
  name: 'writer-role'
  params: { token: token }
}

// Built-in roles by their identifiers, and the one that is made here.
var writerRole = { 'Septet Blob Writer': guid(resourceGroup().id, token, 'septet-blob-writer') }
var roles = union(table.roles, writerRole)

// One role assignment for one need, each on its own container or queue.
module containerRights 'modules/container-right.bicep' = [for (right, index) in table.container_rights: {
  name: 'container-right-${index}'
  params: {
    account: data.outputs.name
    container: right.on
    roleId: roles[right.role]
    principalId: identity[indexOf(identityNames, right.app)].outputs.principalId
    why: right.why
  }
  dependsOn: [writer]
}]

module queueRights 'modules/queue-right.bicep' = [for (right, index) in table.queue_rights: {
  name: 'queue-right-${index}'
  params: {
    account: data.outputs.name
    queue: right.on
    roleId: roles[right.role]
    principalId: identity[indexOf(identityNames, right.app)].outputs.principalId
    why: right.why
  }
}]

// Only who has a secret may read secrets.
module vaultRights 'modules/vault-right.bicep' = [for (app, index) in identities: if (!empty(app.secrets)) {
  name: 'vault-right-${app.name}'
  params: {
    vault: vault.outputs.name
    principalId: identity[index].outputs.principalId
  }
}]

module apps 'modules/app.bicep' = [for (app, index) in table.apps: {
  name: 'app-${app.name}'
  params: {
    name: '${table.prefix}-${app.name}-${token}'
    hostStorageName: take('h${app.name}${token}', 24)
    service: app.name
    location: location
    tags: tags
    memory: app.memory
    instances: app.instances
    alwaysReady: contains(app.stages, 'infer') ? alwaysReadyPredict : 0
    secrets: app.secrets
    identityId: identity[index].outputs.id
    principalId: identity[index].outputs.principalId
    clientId: identity[index].outputs.clientId
    dataAccount: data.outputs.name
    vaultUri: vault.outputs.uri
    insightsConnectionString: observe.outputs.connectionString
    samplingPercentage: samplingPercentage
  }
  dependsOn: [containerRights, queueRights, vaultRights]
}]

// Where train is a job: once its image is there.
module job 'train-job.bicep' = [for (each, index) in (empty(trainImage) ? [] : table.jobs): {
  name: 'train-job'
  params: {
    name: 'train-${token}'
    location: location
    tags: tags
    image: trainImage
    registry: trainRegistry
    identityId: identity[length(table.apps) + index].outputs.id
    clientId: identity[length(table.apps) + index].outputs.clientId
    dataAccount: data.outputs.name
    secrets: each.secrets
    vaultUri: vault.outputs.uri
    workspaceName: observe.outputs.workspaceName
    insightsConnectionString: observe.outputs.connectionString
  }
  dependsOn: [containerRights, queueRights, vaultRights]
}]

module events 'modules/events.bicep' = {
  name: 'events'
  params: {
    name: 'events-${token}'
    location: location
    tags: tags
    dataAccount: data.outputs.name
    containers: table.incoming
    queue: 'ingest'
    deadLetters: 'dead-letters'
    actionGroupId: observe.outputs.actionGroupId
  }
}

// The operator: whatever a person does with `septet --store azure:…` from his own machine.
module operatorContainers 'modules/container-right.bicep' = [for container in concat(table.containers, table.incoming, ['dead-letters']): if (!empty(operatorPrincipalId)) {
  name: 'operator-${container}'
  params: {
    account: data.outputs.name
    container: container
    roleId: roles['Storage Blob Data Contributor']
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    why: 'operator'
  }
}]

module operatorQueues 'modules/queue-right.bicep' = [for queue in table.queues: if (!empty(operatorPrincipalId)) {
  name: 'operator-${queue}'
  params: {
    account: data.outputs.name
    queue: queue
    // Storage Queue Data Contributor
    roleId: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    why: 'operator'
  }
}]

output DATA_ACCOUNT string = data.outputs.name
output KEY_VAULT string = vault.outputs.name
output APPS array = [for (app, index) in table.apps: { app: app.name, name: apps[index].outputs.name, host: apps[index].outputs.host }]
