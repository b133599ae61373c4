# SPDX-License-Identifier: Apache-2.0
"""Links of pages that are right on a code host, made right on the site.

A link to a file outside of docs/ leads to the repository's page of that file, one to a script of
the gallery to the lesson that it makes.
"""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class FilesOfRepository(SphinxTransform):
    """Replaces MyST's references and downloads of such files."""

    default_priority = 5  # before Sphinx collects downloads

    def apply(self) -> None:
        """Go through the references of one page."""
        root = Path(self.env.srcdir).parent
        page = Path(str(self.env.doc2path(self.env.docname))).parent
        kinds = (addnodes.download_reference, addnodes.pending_xref)
        for node in list(self.document.findall(lambda n: isinstance(n, kinds))):
            target = str(node.get("reftarget", ""))
            file = (page / target).resolve()
            outside = not file.is_relative_to(self.env.srcdir)
            if file.parent == Path(self.env.srcdir) / "gallery":
                lesson = "index" if file.stem == "GALLERY_HEADER" else file.stem
                link = addnodes.pending_xref(
                    "",
                    *node.children,
                    refdoc=self.env.docname,
                    refdomain="std",
                    reftype="doc",
                    refexplicit=True,
                    reftarget=f"/lessons/{lesson}",
                )
                node.replace_self(link)
            elif target.startswith("../") and outside and file.exists():
                url = f"{self.config.repository_files}/{file.relative_to(root).as_posix()}"
                external = nodes.reference("", "", *node.children, refuri=url, internal=False)
                node.replace_self(external)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_config_value("repository_files", "", "env")
    app.add_transform(FilesOfRepository)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
