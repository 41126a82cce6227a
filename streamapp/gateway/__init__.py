"""HTTP in front of Kafka: a request is put on `requests`; its answer, read from `predictions`, is the reply.

So what comes by HTTP is scored, counted, watched and learned from as everything else is. `pending` and
`exchange` know neither HTTP nor a Kafka client; `kafka` connects them to one, `api` to the other.
"""
