// The Functions app on Flex Consumption, and the settings that it and its host read. Connection strings are put
// together here from the resources' own keys, so they never pass through parameters or outputs.

param name string
param planName string
param location string
param tags object
param storageAccountName string
param packageContainerUrl string
param iotHubName string
param signalRName string
param applicationInsightsName string
param partitionKey string
param partitionShards int
param signalRHub string
param allowedOrigins array
param customRuntimeVersion string
param instanceMemoryMB int
param maximumInstanceCount int

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageAccountName
}

resource iotHub 'Microsoft.Devices/IotHubs@2023-06-30' existing = {
  name: iotHubName
}

resource signalR 'Microsoft.SignalRService/signalR@2023-02-01' existing = {
  name: signalRName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

var storageKey = storage.listKeys().keys[0].value
var storageConnectionString = 'DefaultEndpointsProtocol=https;AccountName=${storage.name};AccountKey=${storageKey};EndpointSuffix=${environment().suffixes.storage}'

// The hub's `service` policy may read the built-in endpoint, and cannot register devices.
var iotHubPolicy = 'service'
var iotHubKey = listKeys(resourceId('Microsoft.Devices/IotHubs/iotHubKeys', iotHubName, iotHubPolicy), '2023-06-30').primaryKey
var events = iotHub.properties.eventHubEndpoints.events
var iotHubConnectionString = 'Endpoint=${events.endpoint};SharedAccessKeyName=${iotHubPolicy};SharedAccessKey=${iotHubKey};EntityPath=${events.path}'

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  // azd finds the app of service `api` by this tag.
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'StorageAccountConnectionString'
            storageAccountConnectionStringName: 'DEPLOYMENT_STORAGE_CONNECTION_STRING'
          }
        }
      }
      // Takes the place of the setting FUNCTIONS_WORKER_RUNTIME, which Flex Consumption refuses.
      runtime: {
        name: 'custom'
        version: customRuntimeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      cors: {
        allowedOrigins: allowedOrigins
        // SignalR clients in browsers send credentials with negotiate unless told otherwise.
        supportCredentials: true
      }
      appSettings: [
        {
          name: 'AzureWebJobsStorage'
          value: storageConnectionString
        }
        {
          name: 'DEPLOYMENT_STORAGE_CONNECTION_STRING'
          value: storageConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: insights.properties.ConnectionString
        }
        {
          name: 'IoTHubConnectionString'
          value: iotHubConnectionString
        }
        {
          name: 'EventHubName'
          value: events.path
        }
        {
          name: 'StorageConnectionString'
          value: storageConnectionString
        }
        {
          name: 'PartitionKey'
          value: partitionKey
        }
        {
          name: 'PartitionShards'
          value: string(partitionShards)
        }
        {
          name: 'AzureSignalRConnectionString'
          value: signalR.listKeys().primaryConnectionString
        }
        {
          name: 'SignalRHub'
          value: signalRHub
        }
      ]
    }
  }
}

output name string = app.name
output url string = 'https://${app.properties.defaultHostName}'
