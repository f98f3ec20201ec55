"""Prints, as a JSON array, the CloudFormation that AWS's own translator makes of each SAM template named.

It runs offline and without an account, in the virtual environment that testdata/tools/sam.sh makes.
"""

import json
import os
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """Stands for AWS's list of managed policies; a template that names one of them would not translate."""

    def load(self):
        return {}


def translate(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"  # where sam deploy uploads to
    return transform(template, {}, NoManagedPolicies())


if __name__ == "__main__":
    os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
    json.dump([translate(path) for path in sys.argv[1:]], sys.stdout)
