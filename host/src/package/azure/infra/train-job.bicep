// Training that takes longer than a function app's grace: a job that its queue starts, one at a
// time for each message, and that ends when the queue is empty.
param name string
param location string
param tags object
param image string
param registry string
param identityId string
param clientId string
param dataAccount string
param secrets object
param vaultUri string
param workspaceName string
param insightsConnectionString string

@description('Seconds after which a training is ended.')
param timeout int = 86400
param cpu string = '2.0'
param memory string = '4Gi'

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource place 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
  }
}

// Logs go to the workspace without a key of it.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: place
  properties: {
    workspaceId: workspace.id
    logs: [{ category: 'ContainerAppConsoleLogs', enabled: true }]
  }
}

var secretList = [for secret in items(secrets): {
  name: toLower(replace(secret.key, '_', '-'))
  keyVaultUrl: '${vaultUri}secrets/${secret.value}'
  identity: identityId
}]

var secretVariables = [for secret in items(secrets): {
  name: secret.key
  secretRef: toLower(replace(secret.key, '_', '-'))
}]

resource job 'Microsoft.App/jobs@2025-01-01' = {
  name: name
  location: location
  tags: tags
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    environmentId: place.id
    configuration: {
      triggerType: 'Event'
      replicaTimeout: timeout
      replicaRetryLimit: 0
      registries: empty(registry) ? [] : [{ server: registry, identity: identityId }]
      secrets: secretList
      eventTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
        scale: {
          minExecutions: 0
          maxExecutions: 10
          pollingInterval: 30
          rules: [
            {
              name: 'train'
              type: 'azure-queue'
              identity: identityId
              metadata: { accountName: dataAccount, queueName: 'train', queueLength: '1' }
            }
          ]
        }
      }
    }
    template: {
      containers: [
        {
          name: 'train'
          image: image
          command: ['/app/septet']
          args: ['work', '--stages', 'train', '--until-empty', '--store', 'azure:PipelineStorage']
          resources: { cpu: json(cpu), memory: memory }
          env: concat([
            { name: 'PipelineStorage__blobServiceUri', value: 'https://${dataAccount}.blob.${environment().suffixes.storage}' }
            { name: 'PipelineStorage__queueServiceUri', value: 'https://${dataAccount}.queue.${environment().suffixes.storage}' }
            { name: 'PipelineStorage__credential', value: 'managedidentity' }
            { name: 'PipelineStorage__clientId', value: clientId }
            { name: 'SEPTET_NATIVE', value: '/app/native' }
            { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insightsConnectionString }
            { name: 'OTEL_SERVICE_NAME', value: 'septet-train' }
          ], secretVariables)
        }
      ]
    }
  }
}
