// The data account: artifacts, ledger, registry, cards of messages, queues, and what arrives. It
// has no rule that deletes by age: what is old here is live, and only garbage collection knows.
param name string
param location string
param tags object
param containers array
param queues array
param softDeleteDays int
param customerManagedKey bool
param keyVaultName string
param workspaceId string

resource encryptor 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = if (customerManagedKey) {
  name: '${name}-key'
  location: location
  tags: tags
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: keyVaultName

  resource key 'keys' = if (customerManagedKey) {
    name: 'data'
    properties: { kty: 'RSA', keySize: 3072, keyOps: ['wrapKey', 'unwrapKey'] }
  }
}

resource mayEncrypt 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (customerManagedKey) {
  name: guid(vault.id, name, 'encryption-user')
  scope: vault
  properties: {
    // Key Vault Crypto Service Encryption User
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'e147488a-f6f5-4113-8e2d-b22465e65bf6')
    principalId: customerManagedKey ? encryptor!.properties.principalId : ''
    principalType: 'ServicePrincipal'
  }
}

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_ZRS' }
  identity: customerManagedKey ? { type: 'UserAssigned', userAssignedIdentities: { '${encryptor.id}': {} } } : { type: 'None' }
  properties: {
    accessTier: 'Hot'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    encryption: union(
      {
        requireInfrastructureEncryption: true
        keySource: customerManagedKey ? 'Microsoft.Keyvault' : 'Microsoft.Storage'
        services: {
          blob: { enabled: true, keyType: 'Account' }
          queue: { enabled: true, keyType: 'Account' }
        }
      },
      customerManagedKey ? {
        identity: { userAssignedIdentity: encryptor.id }
        keyvaultproperties: { keyvaulturi: vault.properties.vaultUri, keyname: 'data' }
      } : {}
    )
  }
  dependsOn: [mayEncrypt, vault::key]
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    // A blob that garbage collection deleted can be brought back for some days. Versions are off:
    // a blob's name is its digest, so there is one version of it only.
    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    isVersioningEnabled: false
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for each in containers: {
  parent: blobs
  name: each
  properties: { publicAccess: 'None' }
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for each in queues: {
  parent: queueService
  name: each
}]

// Every message that is sent, so that one in a poison queue is told of within minutes.
resource written 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'written'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageWrite', enabled: true }]
  }
}

output name string = account.name
