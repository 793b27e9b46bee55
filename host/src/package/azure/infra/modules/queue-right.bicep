// One role on one queue.
param account string
param queue string
param roleId string
param principalId string
param principalType string = 'ServicePrincipal'
param why string

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: account

  resource service 'queueServices' existing = {
    name: 'default'

    resource target 'queues' existing = {
      name: queue
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
