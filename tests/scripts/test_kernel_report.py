#!/usr/bin/env python3
"""Tests benchmarks/kernel_report.py on recorded outputs of cuobjdump and nvdisasm, and its blocks per multiprocessor
with NVIDIA's occupancy calculator if the CUDA toolkit's headers and a C++ compiler are present."""
import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "benchmarks"))
import kernel_code
import kernel_report

RECORDED = HERE / "kernel_report"
TENSOR_LOOP = "_ZN10minception4cuda43_GLOBAL__N__362f7c93_10_kernels_cu_dbe7828a11tensor_loopILi60EEEvPKjPfi"
LOCAL_ARRAY = "_ZN10minception4cuda11local_arrayEPKiPfi"


class Parsers(unittest.TestCase):
    def setUp(self):
        self.resources = kernel_code.parse_resources((RECORDED / "resources.txt").read_text())
        self.code = kernel_code.parse_code((RECORDED / "code.txt").read_text())

    def test_resources_without_what_the_system_reserves(self):
        self.assertEqual(self.resources, {
            ("80", TENSOR_LOOP): kernel_code.Resources(14, 256, 0),
            ("80", LOCAL_ARRAY): kernel_code.Resources(14, 0, 160),
            ("90", TENSOR_LOOP): kernel_code.Resources(13, 256, 0),
            ("90", LOCAL_ARRAY): kernel_code.Resources(14, 0, 160),
        })

    def test_main_loop_is_the_innermost_with_tensor_instructions(self):
        loop = kernel_code.main_loop(self.code[TENSOR_LOOP])
        self.assertEqual((loop[0].address, loop[-1].address), (0x130, 0x1a0))
        self.assertEqual({k: n for k, n in kernel_code.count_kinds(loop).items() if n},
                         {"tensor": 1, "shared": 3, "integer": 3, "control": 1})

    def test_main_loop_without_tensor_instructions_has_ffma(self):
        loop = kernel_code.main_loop(self.code[LOCAL_ARRAY])
        self.assertIn("FFMA", [i.opcode for i in loop])
        self.assertNotIn("FADD", [i.opcode for i in loop])

    def test_no_loop(self):
        straight = [i for i in self.code[TENSOR_LOOP] if i.target is None or i.target > i.address]
        self.assertEqual(kernel_code.main_loop(straight), [])

    def test_local_memory(self):
        self.assertEqual(kernel_code.local_bytes(self.code[LOCAL_ARRAY]), (10 * 16 + 4, 4 + 4))
        self.assertEqual(kernel_code.local_bytes(self.code[TENSOR_LOOP]), (0, 0))

    def test_kinds(self):
        for opcode, kind in {"HMMA.16816.F32.BF16": "tensor", "HGMMA.64x128x16.F32": "tensor", "HFMA2.MMA": "other",
                             "HFMA2.BF16_V2": "float", "IMAD.MOV.U32": "other", "IMAD.WIDE": "integer",
                             "UIADD3": "integer", "LDSM.16.MT88.4": "shared", "LDGSTS.E.BYPASS.128": "global",
                             "LDGDEPBAR": "control",
                             "F2FP.BF16.PACK_AB": "convert", "STS.128": "other"}.items():
            self.assertEqual(kernel_code.kind(opcode), kind, opcode)

    def test_names(self):
        for name, short in {
            "void minception::cuda::cast<float, minception::bf16, 4>(minception::cuda::View<float const>)":
                "cast<float, bf16, 4>",
            "minception::cuda::(anonymous namespace)::probe()": "probe",
            "void minception::cuda::gemm<(anonymous namespace)::Tile<2>, (bool)1>(int (*)(int))":
                "gemm<Tile<2>, (bool)1>",
        }.items():
            self.assertEqual(kernel_code.short_name(name), short)

    @unittest.skipUnless(shutil.which("c++filt"), "no c++filt (Debian: binutils)")
    def test_demangled(self):
        names = kernel_code.demangled([TENSOR_LOOP, LOCAL_ARRAY])
        self.assertEqual(list(names.values()), ["tensor_loop<60>", "local_array"])


class Occupancy(unittest.TestCase):
    def test_by_hand(self):
        for capability, registers, shared, threads, blocks in [
            ("8.0", 32, 0, 256, 8),          # 64 warps of 32 * 32 registers
            ("8.6", 32, 0, 256, 6),          # 48 warps
            ("8.0", 128, 0, 128, 4),         # 65536 / (128 * 128)
            ("8.0", 129, 0, 128, 3),         # 136 registers: 3 warps per scheduler
            ("8.6", 64, 49152, 128, 2),      # 100 KiB / 49 KiB
            ("8.6", 64, 50 * 1024, 128, 1),  # 51 KiB with what is reserved
            ("9.0", 64, 50 * 1024, 128, 4),
            ("8.6", 16, 100 * 1024, 32, 0),  # more than a block may have
            ("8.0", 80, 0, 1024, 0),         # more registers than there are
            ("8.9", 16, 0, 32, 24),
        ]:
            found = kernel_report.blocks_per_sm(kernel_report.LIMITS[capability], registers, shared, threads)
            self.assertEqual(found, blocks, (capability, registers, shared, threads))

    def test_as_by_nvidia(self):
        include = pathlib.Path(os.environ.get("CUDA_PATH", "/usr/local/cuda")) / "include"
        compiler = shutil.which("c++")
        if not compiler or not (include / "cuda_occupancy.h").exists():
            self.skipTest("no cuda_occupancy.h or no C++ compiler")
        with tempfile.TemporaryDirectory() as folder:
            program = folder + "/occupancy"
            source = str(RECORDED / "occupancy.cpp")
            subprocess.run([compiler, "-std=c++20", f"-isystem{include}", source, "-o", program], check=True)
            limits = [str(x) for c, l in kernel_report.LIMITS.items() for x in (c, l.warps, l.shared, l.shared_block)]
            lines = subprocess.run([program, *limits], check=True, capture_output=True, text=True).stdout.splitlines()
        self.assertGreater(len(lines), 10000)
        for line in lines:
            capability, *numbers = line.split()
            registers, shared, threads, blocks = map(int, numbers)
            found = kernel_report.blocks_per_sm(kernel_report.LIMITS[capability], registers, shared, threads)
            self.assertEqual(found, blocks, line)

    def test_capabilities(self):
        self.assertEqual(kernel_report.capabilities("80"), ["8.0", "8.6", "8.9"])
        self.assertEqual(kernel_report.capabilities("86"), ["8.6", "8.9"])
        self.assertEqual(kernel_report.capabilities("100"), ["10.0"])
        self.assertEqual(kernel_report.capabilities("90a"), ["9.0"])
        self.assertEqual(kernel_report.capabilities("80a"), ["8.0"])
        self.assertEqual(sorted(["120", "90a", "90"], key=kernel_report.by_number), ["90", "90a", "120"])


class Table(unittest.TestCase):
    def setUp(self):
        launches = kernel_report.read_launches("# comment\n 128  33792 gemm<4, float>\n  64      0 gemm<4, float>\n")
        self.line = kernel_report.make_line("80", "gemm<4, float>", kernel_code.Resources(100, 256, 0), (0, 0),
                                            launches["gemm<4, float>"])

    def test_line_is_of_the_launch_with_the_fewest_blocks(self):
        self.assertEqual(self.line.cells(), ("sm_80", "100", "256", "33792", "128", "0/0", "4/2/2", "gemm<4, float>"))

    def test_kernel_that_is_never_launched(self):
        line = kernel_report.make_line("90", "probe", kernel_code.Resources(4, 0, 0), (0, 0), [])
        self.assertEqual(line.cells(), ("sm_90", "4", "0", "-", "-", "0/0", "-", "probe"))

    def test_round_trip(self):
        table = kernel_report.write_table([self.line], "13.0.88")
        self.assertEqual(kernel_report.read_table(table), ("13.0.88", [self.line]))

    def check(self, line, compiler, architectures=("80",)):
        """Exit code and output of --check with this line compiled, and self.line in the file."""
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
            kernel_report.RESOURCES = pathlib.Path(folder) / "table"
            kernel_report.RESOURCES.write_text(kernel_report.write_table([self.line], "13.0.88"))
            return kernel_report.check([line], compiler, set(architectures)), output.getvalue()

    def test_check(self):
        worse = dataclasses.replace(self.line, registers="130", blocks="3/2/2")
        self.assertEqual(self.check(self.line, "13.0.88")[0], 0)
        status, output = self.check(worse, "13.0.88")
        self.assertEqual(status, 1)
        self.assertIn("sm_80 gemm<4, float>: registers 100 -> 130, blocks 4/2/2 -> 3/2/2\n", output)
        status, output = self.check(worse, "12.8.1")
        self.assertEqual(status, 0)
        self.assertIn("registers 100 -> 130", output)
        self.assertIn("made by nvcc 13.0.88, these kernels by nvcc 12.8.1", output)
        self.assertEqual(self.check(dataclasses.replace(self.line, architecture="86"), "13.0.88", ["86"])[0], 77)

    def test_new_and_removed_kernels(self):
        other = dataclasses.replace(self.line, kernel="other")
        self.assertEqual(list(kernel_report.differences([self.line], [other])),
                         ["sm_80 gemm<4, float>: no longer compiled", "sm_80 other: new"])


if __name__ == "__main__":
    unittest.main()
