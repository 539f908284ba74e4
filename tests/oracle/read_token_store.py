"""Reads PREFIX.idx and PREFIX.bin by the description of Megatron-LM's format and prints the documents as JSON.

Own code, with numpy's memmap only, and strict: every byte of both files has to be accounted for.
"""

import json
import struct
import sys

import numpy

DTYPES = {1: numpy.uint8, 2: numpy.int8, 3: numpy.int16, 4: numpy.int32, 5: numpy.int64, 6: numpy.float64, 7: numpy.float32,
          8: numpy.uint16}


def read(prefix):
    index = open(f"{prefix}.idx", "rb").read()
    assert index[:9] == b"MMIDIDX\x00\x00", index[:9]
    version, code, sequences, bounds = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1, version
    offset = 34
    lengths = numpy.frombuffer(index, numpy.int32, sequences, offset)
    pointers = numpy.frombuffer(index, numpy.int64, sequences, offset + lengths.nbytes)
    document_bounds = numpy.frombuffer(index, numpy.int64, bounds, offset + lengths.nbytes + pointers.nbytes)
    assert offset + lengths.nbytes + pointers.nbytes + document_bounds.nbytes == len(index)
    assert document_bounds[0] == 0 and document_bounds[-1] == sequences
    tokens = numpy.fromfile(f"{prefix}.bin", DTYPES[code])
    assert lengths.sum() == len(tokens), (lengths.sum(), len(tokens))
    width = tokens.dtype.itemsize
    pieces = [tokens[p // width : p // width + n].tolist() for p, n in zip(pointers, lengths)]
    documents = [sum(pieces[a:b], []) for a, b in zip(document_bounds, document_bounds[1:])]
    return {"dtype": tokens.dtype.name, "documents": documents}


print(json.dumps(read(sys.argv[1])))
