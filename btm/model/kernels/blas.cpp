#include "btm/model/kernels/blas.h"

#include "btm/core/shared_library.h"

namespace btm {
namespace {

// What LibTorch exports of its BLAS (at::native::cpublas::gemm is not among it).
struct Blas {
  explicit Blas(const SharedLibrary& torch)
      : sgemm(torch.get<Sgemm>("sgemm_")),
        sgemv(torch.get<Sgemv>("sgemv_")),
        set_threads(torch.find<int(int)>("MKL_Set_Num_Threads_Local")) {}

  // Reference BLAS: column-major, every argument by address.
  using Sgemm = void(const char* op_a, const char* op_b, const int* m, const int* n, const int* k, const float* alpha,
                     const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c,
                     const int* ldc);
  using Sgemv = void(const char* op, const int* m, const int* n, const float* alpha, const float* a, const int* lda,
                     const float* x, const int* x_step, const float* beta, float* y, const int* y_step);
  Sgemm* sgemm;
  Sgemv* sgemv;
  int (*set_threads)(int threads);  // of the calling thread; null: it is not MKL
};

// MKL would start a team of OMP_NUM_THREADS for each product; replicas bring their own parallelism.
const Blas& blas() {
  static const Blas library({{BTM_TORCH_DIR "/lib/libtorch_cpu.so", "libtorch_cpu.so"},
                             "no LibTorch, which multiplies matrices (it was " BTM_TORCH_DIR
                             " when btm was built: put it back, or its folder lib into LD_LIBRARY_PATH)"});
  thread_local const int threads_before = library.set_threads ? library.set_threads(1) : 1;
  (void)threads_before;
  return library;
}

char letter(Op op) {
  return op == Op::none ? 'N' : 'T';
}

}  // namespace

// A row-major matrix is its transpose in BLAS's eyes, so c^T = op(b)^T op(a)^T.
void blas_gemm(int m, int n, int k, float alpha, MatrixView a, MatrixView b, float beta, float* c, int c_stride) {
  const char op_a = letter(a.op), op_b = letter(b.op);
  if (m == 1 && a.op == Op::none) {
    const int one = 1, stored_rows = b.op == Op::none ? n : k, stored_columns = b.op == Op::none ? k : n;
    blas().sgemv(&op_b, &stored_rows, &stored_columns, &alpha, b.data.as<float>(), &b.stride, a.data.as<float>(), &one,
                 &beta, c, &one);
    return;
  }
  blas().sgemm(&op_b, &op_a, &n, &m, &k, &alpha, b.data.as<float>(), &b.stride, a.data.as<float>(), &a.stride, &beta, c,
               &c_stride);
}

}  // namespace btm
