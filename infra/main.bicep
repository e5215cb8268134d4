// Everything fieldcast needs in Azure, in one resource group: telemetry in (IoT Hub), state (Table Storage),
// push (SignalR Service) and the Functions app between them.

targetScope = 'subscription'

@description('Name of the environment. Resource names are made from it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Azure region. It must offer Flex Consumption: az functionapp list-flexconsumption-locations.')
@minLength(1)
param location string

@description('Partition key of the device and calibration rows, such as a city or site.')
param partitionKey string = 'Sydney'

@description('Table partitions that the devices are spread over. It cannot be changed once rows exist.')
@minValue(1)
@maxValue(100)
param partitionShards int = 1

@description('SignalR hub that clients join.')
param signalRHub string = 'enviromon'

@description('F1 is free, with 8,000 messages a day and one per subscription; B1 and S1 are billed.')
@allowed([
  'F1'
  'B1'
  'S1'
])
param iotHubSku string = 'F1'

@description('Free_F1 is free, with 20 connections and 20,000 messages a day; Standard_S1 is billed by units.')
@allowed([
  'Free_F1'
  'Standard_S1'
])
param signalRSku string = 'Free_F1'

@description('Units of Standard_S1, each for 1,000 connections. Free_F1 always has one.')
@minValue(1)
@maxValue(10)
param signalRUnits int = 1

@description('Origins of the pages that may call the app and connect for messages, without a final slash.')
param allowedOrigins array = [
  'http://localhost:5173'
  'http://127.0.0.1:5173'
]

@description('Version of the custom handler stack: az functionapp list-flexconsumption-runtimes --runtime custom.')
param customRuntimeVersion string = '1.0'

@description('Memory of one instance of the app, in MB.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('The most instances that the app scales out to.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

var tags = {
  'azd-env-name': environmentName
}
var token = toLower(uniqueString(subscription().id, environmentName, location))

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stfieldcast${token}'
    location: location
    tags: tags
  }
}

module iotHub 'iot-hub.bicep' = {
  name: 'iot-hub'
  scope: group
  params: {
    name: 'iot-fieldcast-${token}'
    location: location
    tags: tags
    sku: iotHubSku
  }
}

module signalR 'signalr.bicep' = {
  name: 'signalr'
  scope: group
  params: {
    name: 'sigr-fieldcast-${token}'
    location: location
    tags: tags
    sku: signalRSku
    units: signalRUnits
    allowedOrigins: allowedOrigins
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: 'fieldcast-${token}'
    location: location
    tags: tags
  }
}

module functionApp 'function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-fieldcast-${token}'
    planName: 'plan-fieldcast-${token}'
    location: location
    tags: tags
    storageAccountName: storage.outputs.name
    packageContainerUrl: storage.outputs.packageContainerUrl
    iotHubName: iotHub.outputs.name
    signalRName: signalR.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    partitionKey: partitionKey
    partitionShards: partitionShards
    signalRHub: signalRHub
    allowedOrigins: allowedOrigins
    customRuntimeVersion: customRuntimeVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
  }
}

// Names and addresses only: outputs are kept in the deployment history, so none of them is a secret.
output AZURE_LOCATION string = location
output AZURE_RESOURCE_GROUP string = group.name
output FIELDCAST_FUNCTION_APP string = functionApp.outputs.name
output FIELDCAST_URL string = functionApp.outputs.url
output FIELDCAST_IOT_HUB string = iotHub.outputs.name
output FIELDCAST_SIGNALR string = signalR.outputs.name
output FIELDCAST_STORAGE_ACCOUNT string = storage.outputs.name
