"""Codes, their gradient, distance and bytes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hashformer.model.hashing import HashHead, hamming_distance, pack_codes, sign, unpack_codes


def test_the_head_equals_its_formula():
    head = HashHead(6, 16).requires_grad_(False)
    x = torch.randn(3, 6)
    for row, code in zip(x, head(x), strict=True):
        hidden = [max(0.0, float(w @ row + b)) for w, b in zip(head.hidden.weight, head.hidden.bias, strict=True)]
        raw = [
            sum(float(v) * h for v, h in zip(w, hidden, strict=True)) + float(b)
            for w, b in zip(head.out.weight, head.out.bias, strict=True)
        ]
        assert code.tolist() == [1.0 if value >= 0 else -1.0 for value in raw]


def test_sign_has_no_zero_and_lets_the_gradient_through():
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    code = sign(x)
    (code * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert code.tolist() == [-1, 1, 1]
    assert x.grad.tolist() == [1, 2, 3]


@given(seed=st.integers(0, 999), bits=st.sampled_from([8, 64]))
@settings(max_examples=25, deadline=None)
def test_distance_counts_bits_and_packing_loses_nothing(seed, bits):
    codes = torch.randint(0, 2, (5, bits), generator=torch.Generator().manual_seed(seed)).float() * 2 - 1
    expected = [[sum(x != y for x, y in zip(a, b, strict=True)) for b in codes.tolist()] for a in codes.tolist()]
    assert hamming_distance(codes, codes).tolist() == expected
    packed = pack_codes(codes)
    assert packed.shape == (5, bits // 8)
    assert packed.dtype == torch.uint8
    assert torch.equal(unpack_codes(packed), codes)


def test_the_first_bit_is_the_highest():
    assert pack_codes(torch.tensor([[1.0] + [-1.0] * 7])).tolist() == [[128]]


def test_an_odd_number_of_bits_is_refused():
    with pytest.raises(ValueError, match="multiple of 8, got 7"):
        pack_codes(torch.ones(1, 7))
