"""The names of the methods, as results, page and targets call them."""

# Noise along a generator
PLAIN = "plain forward + backward"
TRACE = "noise_trace"
L2, VARIANCE = "BackPACK BatchL2Grad", "BackPACK Variance"
GHOST, SAMPLES = "Opacus ghost norms", "Opacus GradSampleModule"
TORCH_SAMPLES, JAX_SAMPLES = "torch.func vmap(grad)", "JAX jit, vmap(grad)"

# Ensembles
RUN = "simulate"
JAX_RUN, BMM, MATMUL = "JAX jit, scan of vmap(grad)", "torch bmm", "numpy matmul"
NUMBA_RUN, VMAP_RUN = "numba, one by one", "torch.func, vmap(grad)"
LOOP = "nn.Module and optim.SGD, one by one"

# Paths of an SDE
SDE = "simulate, sde"
TORCH_SDE, JAX_SDE, NUMPY_SDE = "torch", "JAX jit, scan", "numpy"
DIFFRAX, TREE = "diffrax, UnsafeBrownianPath", "diffrax, VirtualBrownianTree"
TORCHSDE = "torchsde"

# Noise equilibria
ROOT, CERTIFIED = "noise_equilibrium", "certify_equilibrium, one by one"
NUMBA_ROOT, JAX_ROOT = "numba, Newton on H", "JAX jit, Newton on H"
ON_H, ON_G = "optimistix, Newton on H", "optimistix, Newton on G"
GIVEN, SEARCH = "scipy find_root, bracket given", "scipy bracket_root + find_root"
BRENT = "scipy brentq, one by one"
