"""Corpora with figures of pycocoevalcap 1.2 (METEOR: ours, from its counts), and reports drawn from words."""

from hypothesis import strategies

TOLD = (
    "L4-L5: severe spinal canal stenosis. There is a disc bulge at L5-S1.",
    "No canal stenosis (9.8 mm) at L3-L4.",
    "...",
    "Mild bulge, the patient's L4/L5 disc.",
)
TRUTH = (
    ("Severe canal stenosis at L4-L5. Disc bulge at L5-S1, mild.", "At L4-L5 there is severe canal stenosis."),
    ("The canal at L3-L4 is 9.8 mm wide: no stenosis.",),
    ("Normal study.",),
    ("Mild bulge of the L4/L5 disc.", "L4/L5: mild bulge.", "No bulge."),
)
STORED = {
    "bleu_1": (0.7857142856581633, [0.833333333263889, 0.695986135145402, 0.0, 0.7142857141836736]),
    "bleu_2": (0.5318431562176226, [0.6154574548430444, 0.3945870491852009, 0.0, 0.4879500363987507]),
    "bleu_3": (0.2951604440193963, [0.4231314986970542, 2.710051582455269e-06, 0.0, 3.62460124272737e-06]),
    "bleu_4": (0.191802920632803, [0.30289764015178344, 7.38127897329264e-09, 0.0, 1.0445522728736977e-08]),
    "rouge_l": (0.43496034017133767, [0.646969696969697, 0.31282051282051276, 0.0, 0.7800511508951408]),
    "cider": (1.5942704472608735, [2.5992538526164592, 2.297894348282795, 0.0, 1.4799335881442401]),
    "meteor": (0.38805166353585857, [0.4338422946021217, 0.3697195430486159, 0.0, 0.4591450234485102]),
}

WORDS = ["disc", "bulge", "at", "l4-l5", "no", "mild", "severe", "canal", "stenosis", "the", "is", "narrow"]
TEXTS = strategies.lists(strategies.sampled_from(WORDS), min_size=4, max_size=12).map(" ".join)
CORPORA = strategies.lists(
    strategies.tuples(TEXTS, strategies.lists(TEXTS, min_size=1, max_size=3)), min_size=2, max_size=6
)
