// SignalR Service in serverless mode: the app sends over REST, clients connect to the service itself.

param name string
param location string
param tags object

@allowed([
  'Free_F1'
  'Standard_S1'
])
param sku string
param units int
param allowedOrigins array

resource service 'Microsoft.SignalRService/signalR@2023-02-01' = {
  name: name
  location: location
  tags: tags
  kind: 'SignalR'
  sku: {
    name: sku
    capacity: sku == 'Free_F1' ? 1 : units
  }
  properties: {
    features: [
      {
        flag: 'ServiceMode'
        value: 'Serverless'
      }
    ]
    cors: {
      allowedOrigins: allowedOrigins
    }
    // The app signs in with an access key.
    disableLocalAuth: false
  }
}

output name string = service.name
