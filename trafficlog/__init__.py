"""The traffic server's log: lines as Expressway writes them, rendered, parsed, written.

``grammar``   the words and forms that the emitter and the parser share
``render``    every line we write, one template each
``records``   what a parsed line says
``block``     the whole message behind a DEBUG line
``parse``     text to records
``linefile``  a file that takes whole lines, with rotation
``writer``    batches from the event loop to a thread that owns the file
``pcapng``    a capture as bytes: TCP frames made up around what was carried, blocks
``capture``   the capture file and the TLS key log
"""
