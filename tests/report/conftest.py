"""Documents to report, built from the detections made by hand."""

import pytest

from report.detections import KINDS, document_of


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def any_document(request):
    return document_of(request.param())


@pytest.fixture(scope="session")
def mixed_document():
    return document_of(*(kind() for kind in KINDS))
