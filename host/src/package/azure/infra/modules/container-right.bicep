// One role on one container.
param account string
param container string
param roleId string
param principalId string
param principalType string = 'ServicePrincipal'
param why string

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: account

  resource service 'blobServices' existing = {
    name: 'default'

    resource target 'containers' existing = {
      name: container
    }
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage::service::target.id, principalId, roleId)
  scope: storage::service::target
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    principalId: principalId
    principalType: principalType
    description: why
  }
}
