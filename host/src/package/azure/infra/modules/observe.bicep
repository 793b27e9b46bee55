// What is seen of the pipeline: traces and logs with a cap, alerts, and a workbook.
param token string
param location string
param tags object
param samplingPercentage int
param dailyCapGb int
param alertEmail string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'logs-${token}'
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'insights-${token}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    SamplingPercentage: samplingPercentage
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(alertEmail)) {
  name: 'people-${token}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'septet'
    enabled: true
    emailReceivers: [{ name: 'operator', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

var actionGroups = empty(alertEmail) ? [] : [people.id]

var rules = [
  {
    name: 'poison'
    what: 'A message came to nothing: look at it with `septet queues peek`.'
    query: 'StorageQueueLogs | where OperationName == "PutMessage" and StatusCode == 201 and Uri contains "-poison/messages"'
    threshold: 0
  }
  {
    name: 'failures'
    what: 'Functions fail: their host, not their data.'
    query: 'AppRequests | where Success == false'
    threshold: 5
  }
]

resource alert 'Microsoft.Insights/scheduledQueryRules@2021-08-01' = [for rule in rules: {
  name: '${rule.name}-${token}'
  location: location
  tags: tags
  properties: {
    description: rule.what
    severity: 2
    enabled: true
    scopes: [workspace.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    // A new workspace does not have the tables yet.
    skipQueryValidation: true
    criteria: {
      allOf: [{ query: rule.query, timeAggregation: 'Count', operator: 'GreaterThan', threshold: rule.threshold }]
    }
    actions: { actionGroups: actionGroups }
  }
}]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, token, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Septet pipeline'
    category: 'workbook'
    sourceId: insights.id
    serializedData: loadTextContent('../workbook.json')
  }
}

output workspaceId string = workspace.id
output workspaceName string = workspace.name
output connectionString string = insights.properties.ConnectionString
output actionGroupId string = empty(alertEmail) ? '' : people.id
