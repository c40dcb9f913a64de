#pragma once
/// Marks functions that also compile for the GPU.
#if defined(__CUDACC__)
#define MINCEPTION_HOST_DEVICE __host__ __device__
#else
#define MINCEPTION_HOST_DEVICE
#endif
