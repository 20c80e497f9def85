"""What concerns one origin: its route, its address, its connections and the verdict on them."""
