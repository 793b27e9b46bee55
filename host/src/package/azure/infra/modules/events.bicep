// Files that arrive become messages of the queue ingest, without a function between.
param name string
param location string
param tags object
param dataAccount string
param containers array
param queue string
param deadLetters string
param actionGroupId string

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

module maySend 'queue-right.bicep' = {
  name: 'events-may-send'
  params: {
    account: dataAccount
    queue: queue
    // Storage Queue Data Message Sender
    roleId: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
    principalId: identity.properties.principalId
    why: 'events of files that arrived'
  }
}

module mayKeep 'container-right.bicep' = {
  name: 'events-may-keep'
  params: {
    account: dataAccount
    container: deadLetters
    // Storage Blob Data Contributor
    roleId: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
    principalId: identity.properties.principalId
    why: 'events that could not be delivered'
  }
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: dataAccount
}

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: name
  location: location
  tags: tags
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    source: storage.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }

  resource arrived 'eventSubscriptions' = [for container in containers: {
    name: 'arrived-${container}'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: {
        includedEventTypes: ['Microsoft.Storage.BlobCreated']
        subjectBeginsWith: '/blobServices/default/containers/${container}/'
        // Events of whole files: not of the blocks that one is put together from.
        advancedFilters: [
          { operatorType: 'StringIn', key: 'data.api', values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose'] }
        ]
      }
      retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
      deliveryWithResourceIdentity: {
        identity: { type: 'UserAssigned', userAssignedIdentity: identity.id }
        destination: {
          endpointType: 'StorageQueue'
          properties: { resourceId: storage.id, queueName: queue, queueMessageTimeToLiveInSeconds: -1 }
        }
      }
      deadLetterWithResourceIdentity: {
        identity: { type: 'UserAssigned', userAssignedIdentity: identity.id }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: { resourceId: storage.id, blobContainerName: deadLetters }
        }
      }
    }
    dependsOn: [maySend, mayKeep]
  }]
}

resource undelivered 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-undelivered'
  location: 'global'
  tags: tags
  properties: {
    description: 'A file arrived and its event could not be delivered; it is in the container ${deadLetters}.'
    severity: 2
    enabled: true
    scopes: [topic.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead-lettered'
          metricName: 'DeadLetteredCount'
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Total'
        }
      ]
    }
    actions: empty(actionGroupId) ? [] : [{ actionGroupId: actionGroupId }]
  }
}
