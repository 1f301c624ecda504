"""SIMD kernels, generated as LLVM code and compiled while the program runs."""
