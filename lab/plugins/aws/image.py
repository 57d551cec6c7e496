"""aws:ec2/getAmi:getAmi."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from lab.plugins.aws.base import client, region, tag_map
from lab.plugins.server import PluginError

if TYPE_CHECKING:
    from lab.plugins.resource import Values

_NAMES = {
    "architecture": "Architecture",
    "creationDate": "CreationDate",
    "description": "Description",
    "imageId": "ImageId",
    "name": "Name",
    "ownerId": "OwnerId",
    "rootDeviceName": "RootDeviceName",
    "rootDeviceType": "RootDeviceType",
    "state": "State",
    "virtualizationType": "VirtualizationType",
}


def get_ami(arguments: Values) -> Values:
    """The one image that the filters fit, or with ``mostRecent`` the newest of them; ``tags`` do not filter.

    Raises:
        PluginError: None fits, several do, or ``mostRecent`` is asked for of everybody's images.
    """
    filters = arguments.get("filters") or []
    newest = arguments.get("mostRecent", False)
    bounded = arguments.get("owners") or {one["name"] for one in filters} & {"owner-id", "image-id"}
    if newest and not bounded and not arguments.get("allowUnsafeFilter"):
        raise _refused("Most Recent Image Not Filtered")
    pages = (
        client("ec2", arguments.get("region") or region())
        .get_paginator("describe_images")
        .paginate(
            Owners=arguments.get("owners") or [],
            Filters=[{"Name": one["name"], "Values": one["values"]} for one in filters],
        )
    )
    images = [image for page in pages for image in page["Images"]]
    if pattern := arguments.get("nameRegex"):
        images = [image for image in images if re.search(pattern, image.get("Name", ""))]
    if not images:
        raise _refused("Your query returned no results. Please change your search criteria and try again.")
    if len(images) > 1 and not newest:
        raise _refused(
            "Your query returned more than one result. Please try a more specific search criteria, or set "
            "`most_recent` attribute to true."
        )
    return {**arguments, **_result(max(images, key=lambda image: str(image["CreationDate"])))}


def _result(image: dict[str, Any]) -> Values:
    found = {name: image[theirs] for name, theirs in _NAMES.items() if theirs in image}
    return {**found, "id": image["ImageId"], "tags": tag_map(image.get("Tags"))}


def _refused(why: str) -> PluginError:
    return PluginError(f"invoking aws:ec2/getAmi:getAmi: 1 error occurred:\n\t* {why}")
