// One function app: a plan that costs nothing while nothing happens, an identity of its own, and a
// storage account of its own for the Functions host, apart from the data.
param name string
param hostStorageName string
param service string
param location string
param tags object
param memory int
param instances int
param alwaysReady int
param secrets object
param identityId string
param principalId string
param clientId string
param dataAccount string
param vaultUri string
param insightsConnectionString string
param samplingPercentage int

resource hostStorage 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: hostStorageName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
  }

  resource blobs 'blobServices' = {
    name: 'default'

    resource deployments 'containers' = {
      name: 'deployments'
      properties: { publicAccess: 'None' }
    }
  }
}

resource ownsHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, principalId, 'host')
  scope: hostStorage
  properties: {
    // Storage Blob Data Owner: the Functions host keeps leases, keys and the deployed app there.
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b')
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

var secretSettings = [for secret in items(secrets): {
  name: secret.key
  value: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${secret.value}/)'
}]

var settings = [
  { name: 'AzureWebJobsStorage__accountName', value: hostStorage.name }
  { name: 'AzureWebJobsStorage__credential', value: 'managedidentity' }
  { name: 'AzureWebJobsStorage__clientId', value: clientId }
  { name: 'PipelineStorage__blobServiceUri', value: 'https://${dataAccount}.blob.${environment().suffixes.storage}' }
  { name: 'PipelineStorage__queueServiceUri', value: 'https://${dataAccount}.queue.${environment().suffixes.storage}' }
  { name: 'PipelineStorage__credential', value: 'managedidentity' }
  { name: 'PipelineStorage__clientId', value: clientId }
  { name: 'SEPTET_STORE', value: 'azure:PipelineStorage' }
  { name: 'SEPTET_NATIVE', value: 'native' }
  { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
  { name: 'OTEL_SERVICE_NAME', value: 'septet-${service}' }
  { name: 'OTEL_TRACES_SAMPLER', value: 'parentbased_traceidratio' }
  { name: 'OTEL_TRACES_SAMPLER_ARG', value: samplingPercentage == 100 ? '1' : '0.${padLeft(samplingPercentage, 2, '0')}' }
]

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': service })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    // The Functions host's own /admin routes are not answered from outside.
    functionsRuntimeAdminIsolationEnabled: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostStorage.properties.primaryEndpoints.blob}deployments'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: memory
        maximumInstanceCount: instances
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
      }
      runtime: { name: 'custom', version: '1.0' }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      appSettings: concat(settings, secretSettings)
    }
  }
  dependsOn: [ownsHostStorage, hostStorage::blobs::deployments]

  // Nobody deploys with a password.
  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }
}

output name string = app.name
output host string = app.properties.defaultHostName
