"""What a base can be stored in, by name."""

# Name on an axis, name in a sentence.
BASE_NAMES = {
    "float32": ("32 bits", "float32"),
    "nf4": ("NF4", "NF4"),
    "int4": ("int4", "int4"),
    "fp4": ("FP4", "FP4"),
    "int3": ("int3", "int3, seven levels"),
    "int2": ("int2", "int2, three levels"),
}
