// Compiled for tests/scripts/test_kernel_report.py with nvcc 13.0: nvcc -std=c++20 -gencode=arch=compute_80,code=sm_80
// -gencode=arch=compute_90,code=sm_90 -c; resources.txt and code.txt are what cuobjdump --dump-resource-usage and
// nvdisasm -c (sm_80) print for it.
namespace minception::cuda {
namespace {

template <int V>
__global__ void __launch_bounds__(64) tensor_loop(const unsigned* a, float* y, int n) {
  __shared__ unsigned tile[64];
  float c[4] = {};
  for (int i = 0; i < n; ++i) {
    tile[threadIdx.x] = a[i];
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < V; ++k) {
      asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                   : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                   : "r"(tile[k]), "r"(tile[k + 1]), "r"(tile[k + 2]));
    }
    __syncthreads();
  }
  for (int k = 0; k < 4; ++k) y[k] = c[k];
}

template __global__ void tensor_loop<60>(const unsigned*, float*, int);

}  // namespace

__global__ void local_array(const int* order, float* y, int n) {
  float sums[40] = {};
#pragma unroll 1
  for (int i = 0; i < n; ++i) sums[order[i * threadIdx.x] % 40u] += float(i);
#pragma unroll 1
  for (int i = 0; i < n; ++i) y[i] = fmaf(y[i], sums[i % 40u], 1.0f);
}

}  // namespace minception::cuda
