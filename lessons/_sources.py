"""The literature that lessons cite."""

from typing import NamedTuple


class Source(NamedTuple):
    """One entry of the list of sources."""

    short: str
    authors: str
    year: int
    title: str
    where: str
    url: str


SOURCES = {
    "hu2021": Source(
        "Hu et al. 2021",
        "Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen",
        2021,
        "LoRA: Low-Rank Adaptation of Large Language Models",
        "arXiv 2106.09685, ICLR 2022.",
        "https://arxiv.org/abs/2106.09685",
    ),
    "biderman2024": Source(
        "Biderman et al. 2024",
        "Biderman et al.",
        2024,
        "LoRA Learns Less and Forgets Less",
        "arXiv 2405.09673, TMLR 2024.",
        "https://arxiv.org/abs/2405.09673",
    ),
    "eckart1936": Source(
        "Eckart and Young 1936",
        "Eckart, Young",
        1936,
        "The approximation of one matrix by another of lower rank",
        "Psychometrika 1, 211-218.",
        "https://doi.org/10.1007/BF02288367",
    ),
    "marchenko1967": Source(
        "Marchenko and Pastur 1967",
        "Marchenko, Pastur",
        1967,
        "Distribution of eigenvalues for some sets of random matrices",
        "Mathematics of the USSR-Sbornik 1, 457-483.",
        "https://doi.org/10.1070/SM1967v001n04ABEH001994",
    ),
    "dettmers2023": Source(
        "Dettmers et al. 2023",
        "Dettmers, Pagnoni, Holtzman, Zettlemoyer",
        2023,
        "QLoRA: Efficient Finetuning of Quantized LLMs",
        "arXiv 2305.14314, NeurIPS 2023.",
        "https://arxiv.org/abs/2305.14314",
    ),
    "rajbhandari2020": Source(
        "Rajbhandari et al. 2020",
        "Rajbhandari, Rasley, Ruwase, He",
        2020,
        "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models",
        "arXiv 1910.02054, SC 2020.",
        "https://arxiv.org/abs/1910.02054",
    ),
    "chen2016": Source(
        "Chen et al. 2016",
        "Chen, Xu, Zhang, Guestrin",
        2016,
        "Training Deep Nets with Sublinear Memory Cost",
        "arXiv 1604.06174.",
        "https://arxiv.org/abs/1604.06174",
    ),
    "korthikanti2022": Source(
        "Korthikanti et al. 2022",
        "Korthikanti, Casper, Lym, McAfee, Andersch, Shoeybi, Catanzaro",
        2022,
        "Reducing Activation Recomputation in Large Transformer Models",
        "arXiv 2205.05198, MLSys 2023.",
        "https://arxiv.org/abs/2205.05198",
    ),
    "radford2019": Source(
        "Radford et al. 2019",
        "Radford, Wu, Child, Luan, Amodei, Sutskever",
        2019,
        "Language Models are Unsupervised Multitask Learners",
        "OpenAI, technical report on GPT-2.",
        "https://openai.com/index/better-language-models/",
    ),
    "brown2020": Source(
        "Brown et al. 2020",
        "Brown et al.",
        2020,
        "Language Models are Few-Shot Learners",
        "arXiv 2005.14165, NeurIPS 2020.",
        "https://arxiv.org/abs/2005.14165",
    ),
    "touvron2023": Source(
        "Touvron et al. 2023",
        "Touvron et al.",
        2023,
        "Llama 2: Open Foundation and Fine-Tuned Chat Models",
        "arXiv 2307.09288.",
        "https://arxiv.org/abs/2307.09288",
    ),
    "grattafiori2024": Source(
        "Grattafiori et al. 2024",
        "Grattafiori et al.",
        2024,
        "The Llama 3 Herd of Models",
        "arXiv 2407.21783.",
        "https://arxiv.org/abs/2407.21783",
    ),
    "rudelson2007": Source(
        "Rudelson and Vershynin 2007",
        "Rudelson, Vershynin",
        2007,
        "Sampling from large matrices: an approach through geometric functional analysis",
        "Journal of the ACM 54 (4), 21.",
        "https://doi.org/10.1145/1255443.1255449",
    ),
    "roy2007": Source(
        "Roy and Vetterli 2007",
        "Roy, Vetterli",
        2007,
        "The effective rank: a measure of effective dimensionality",
        "EUSIPCO 2007, 606-610.",
        "https://infoscience.epfl.ch/record/110188",
    ),
    "li2018": Source(
        "Li et al. 2018",
        "Li, Farkhoor, Liu, Yosinski",
        2018,
        "Measuring the Intrinsic Dimension of Objective Landscapes",
        "arXiv 1804.08838, ICLR 2018.",
        "https://arxiv.org/abs/1804.08838",
    ),
    "aghajanyan2020": Source(
        "Aghajanyan et al. 2020",
        "Aghajanyan, Zettlemoyer, Gupta",
        2020,
        "Intrinsic Dimensionality Explains the Effectiveness of Language Model Fine-Tuning",
        "arXiv 2012.13255, ACL 2021.",
        "https://arxiv.org/abs/2012.13255",
    ),
    "chen2015": Source(
        "Chen et al. 2015",
        "Chen, Wilson, Tyree, Weinberger, Chen",
        2015,
        "Compressing Neural Networks with the Hashing Trick",
        "arXiv 1504.04788, ICML 2015.",
        "https://arxiv.org/abs/1504.04788",
    ),
    "huang2023": Source(
        "Huang et al. 2023",
        "Huang, Liu, Lin, Pang, Du, Lin",
        2023,
        "LoraHub: Efficient Cross-Task Generalization via Dynamic LoRA Composition",
        "arXiv 2307.13269, COLM 2024.",
        "https://arxiv.org/abs/2307.13269",
    ),
    "pfeiffer2020": Source(
        "Pfeiffer et al. 2020",
        "Pfeiffer, Kamath, Rücklé, Cho, Gurevych",
        2020,
        "AdapterFusion: Non-Destructive Task Composition for Transfer Learning",
        "arXiv 2005.00247, EACL 2021.",
        "https://arxiv.org/abs/2005.00247",
    ),
    "mixlora2024": Source(
        "Li et al. 2024",
        "Li et al.",
        2024,
        "MixLoRA: Enhancing Large Language Models Fine-Tuning with LoRA-based Mixture of Experts",
        "arXiv 2404.15159.",
        "https://arxiv.org/abs/2404.15159",
    ),
    "chen2023": Source(
        "Chen et al. 2023",
        "Chen, Ye, Wu, Zhuo, Ceze, Krishnamurthy",
        2023,
        "Punica: Multi-Tenant LoRA Serving",
        "arXiv 2310.18547, MLSys 2024.",
        "https://arxiv.org/abs/2310.18547",
    ),
    "sheng2023": Source(
        "Sheng et al. 2023",
        "Sheng et al.",
        2023,
        "S-LoRA: Serving Thousands of Concurrent LoRA Adapters",
        "arXiv 2311.03285, MLSys 2024.",
        "https://arxiv.org/abs/2311.03285",
    ),
    "apple2024": Source(
        "Apple 2024",
        "Apple",
        2024,
        "Introducing Apple's On-Device and Server Foundation Models",
        "Apple Machine Learning Research, June 2024.",
        "https://machinelearning.apple.com/research/introducing-apple-foundation-models",
    ),
    "peft": Source(
        "PEFT",
        "Mangrulkar et al. (Hugging Face)",
        2022,
        "PEFT: State-of-the-art Parameter-Efficient Fine-Tuning methods",
        "Software and its issues, read at version 0.21.2.",
        "https://github.com/huggingface/peft",
    ),
}
