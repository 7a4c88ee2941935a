"""The embedded demo speech-to-text model: its data, training, export, evaluation and model card, in this order:

    voxtab-shards demo-asr data CORPUS                      speech from espeak-ng, flite and festival
    voxtab-shards demo-asr train CORPUS RUN                 weights, log and curves.png in RUN
    voxtab-shards demo-asr export RUN OUT --checkpoint DIR  shards and manifest.json in OUT; BF16 weights in DIR
    voxtab-shards demo-asr eval CORPUS OUT --full-precision DIR -o report.json
    voxtab-shards demo-asr card CORPUS RUN report.json OUT  README.md beside the shards

Each goes on where it was interrupted. OUT is web/models/demo-asr for the model that comes with the repository.
"""
