/* Where the address of torch's sgemm is kept. */

#include "blas.h"

sgemm_t cdsp_sgemm;

void cdsp_use_sgemm(sgemm_t sgemm) { cdsp_sgemm = sgemm; }
