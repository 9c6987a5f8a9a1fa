"""`mep calendar` on DynamoDB Local."""
