"""The live page of a deployment: is it healthy, is it right, what changed, what was done about it.

It only reads topics, and bundles for what they are compared with; so it can never slow the service. `state`
folds records into the immutable `view` and knows neither Kafka nor a page; `reading` connects it to the one,
`page` to the other.
"""
