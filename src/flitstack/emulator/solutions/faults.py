"""What is wrong with a solution, in the service's own codes.

Source: Microsoft Learn, "Web service error codes" (the names in the comments).
"""

from flitstack.emulator.messages import Refusal


def bad_zip() -> Refusal:
    """ImportCustomizationsBadZipFileError."""
    return Refusal(
        400,
        "0x80048060",
        "The solution file is invalid. The compressed file must contain the following files at its root: solution.xml, "
        "customizations.xml, and [Content_Types].xml.",
    )


def too_large(detail: str) -> Refusal:
    """ImportFileTooLargeToUpload."""
    return Refusal(400, "0x80040375", f"The import file is too large to upload. {detail}")


def not_well_formed(file: str, detail: str) -> Refusal:
    """ImportNonWellFormedFileError."""
    return Refusal(400, "0x80048013", f"Invalid customization file. This file is not well formed. {file}: {detail}")


def invalid(detail: str) -> Refusal:
    """ImportXsdValidationError."""
    return Refusal(
        400, "0x8004801A", f"The import file is invalid. XSD validation failed with the following error: '{detail}'."
    )


def missing_dependencies(solution: str, missing: list[str]) -> Refusal:
    """ImportMissingDependenciesError; each of `missing` names a component and what needs it."""
    listed = "; ".join(missing)
    return Refusal(
        400,
        "0x8004801D",
        f"The following solution cannot be imported: {solution}. Some dependencies are missing. The missing "
        f"dependencies are : {listed}",
    )


def missing_component(name: str, kind: int) -> Refusal:
    """ImportMissingComponent."""
    return Refusal(
        400, "0x8004801F", f"Cannot add a Root Component {name} of type {kind} because it is not in the target system."
    )


def not_a_root(name: str, kind: int) -> Refusal:
    """ImportMissingRootComponentEntry."""
    return Refusal(
        400,
        "0x8004803A",
        f"The import has failed because component {name} of type {kind} is not declared in the solution file as a root "
        "component. To fix this, import again using the XML file that was generated when you exported the solution.",
    )


def unknown_choice(column: str, choice: str) -> Refusal:
    """ImportOptionSetAttributeError."""
    return Refusal(
        400,
        "0x80048039",
        f"Attribute '{column}' was not imported as it references a non-existing global Option Set ('{choice}').",
    )


def failed(detail: str) -> Refusal:
    """ImportGenericError."""
    return Refusal(400, "0x8004801E", f"The import failed. {detail}")


def unknown_solution(name: object) -> Refusal:
    """ObjectDoesNotExist."""
    return Refusal(400, "0x80040217", f"solution With uniquename = {name} Does Not Exist")
