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
}
