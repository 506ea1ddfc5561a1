"""From painted tissues to MR images, the same for all body regions.

``values`` (a patient's tissues at a field) -> ``signal`` (equations) -> ``slices`` (profile) -> ``texture`` ->
``kspace`` (chemical shift, blur of the train, ringing) -> ``artefacts`` -> coil and noise; ``image`` puts them in
order. ``contrast`` replaces the equations by chance, for training.
"""
