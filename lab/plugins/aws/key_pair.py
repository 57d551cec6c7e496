"""aws:ec2/keyPair:KeyPair."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, tag_specification
from lab.plugins.fields import STRING, Field
from lab.plugins.resource import Call, Values, merged


class KeyPair(AwsResource):
    """A public key that EC2 gives to machines."""

    token: ClassVar[str] = "aws:ec2/keyPair:KeyPair"
    name_field: ClassVar[str | None] = "keyName"
    fields: ClassVar[dict[str, Field]] = {
        "publicKey": Field(STRING, required=True, replace=True),
        "keyName": Field(STRING, replace=True),
        "tags": TAGS,
    }

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """ImportKeyPair."""
        del call
        self.ec2(inputs).import_key_pair(
            KeyName=inputs["keyName"],
            PublicKeyMaterial=inputs["publicKey"].strip().encode(),
            TagSpecifications=tag_specification("key-pair", inputs.get("tags")),
        )
        outputs = self.read(inputs["keyName"], merged(inputs))
        assert outputs is not None  # it was made a moment ago
        return inputs["keyName"], outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeKeyPairs by name; the public key is never read back."""
        api = self.ec2(state)
        try:
            found: dict[str, Any] = api.describe_key_pairs(KeyNames=[resource_id])["KeyPairs"][0]
        except api.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "InvalidKeyPair.NotFound":
                return None
            raise
        return {
            **state,
            "fingerprint": found.get("KeyFingerprint", ""),
            "keyPairId": found["KeyPairId"],
            "keyType": found.get("KeyType", ""),
        }

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """Tags only; they are addressed by the pair's id."""
        del resource_id, call
        self.change_tags(self.ec2(new), state["keyPairId"], old, new)
        return {**state, **merged(new)}

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteKeyPair by name."""
        del call
        self.ec2(state).delete_key_pair(KeyName=resource_id)
