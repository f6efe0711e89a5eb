"""Makes a bucket at an S3 server of this machine that asks for no rights, such as moto's; one that is there stays.

usage: python scripts/make_bucket.py http://127.0.0.1:PORT BUCKET
"""

import sys
import urllib.request


def make_bucket(address: str, bucket: str) -> None:
    """Raises OSError where the server does not answer, or refuses."""
    # moto takes a request for one of S3 by the form of this header, and asks for no signature.
    header = "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(f"{address}/{bucket}", data=b"", method="PUT", headers={"Authorization": header})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5):
        pass


if __name__ == "__main__":
    make_bucket(sys.argv[1].rstrip("/"), sys.argv[2])
