// The IoT Hub that devices send to. The app reads its built-in, Event Hub-compatible endpoint with the consumer group
// $Default, which every hub has.

param name string
param location string
param tags object

@allowed([
  'F1'
  'B1'
  'S1'
])
param sku string

resource hub 'Microsoft.Devices/IotHubs@2023-06-30' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: 1
  }
  properties: {
    eventHubEndpoints: {
      events: {
        // Free hubs have two partitions. The count cannot be changed later.
        partitionCount: sku == 'F1' ? 2 : 4
        retentionTimeInDays: 1
      }
    }
  }
}

output name string = hub.name
