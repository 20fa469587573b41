"""The real worker, shard and coordinator, as Ray runs them."""
