"""Git repositories as trees of bytes: fetched, read, committed and pushed without a work tree.

The only place that knows GitPython. What stays on this machine goes through GitPython; what talks to a
server goes through `process`, because it must end when its time is up or when the controller stops.

GitPython looks at this process's environment, and hands it on to git. A hook, an alias or `git bisect run`
that started us leaves variables there that name another repository; they are dropped (the names are those
that `git rev-parse --local-env-vars` prints, and the namespace).
"""

import os

_OF_ANOTHER_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)

for _name in _OF_ANOTHER_REPOSITORY:
    os.environ.pop(_name, None)

# without it GitPython refuses to be imported where no git is installed, and nobody could say so politely
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
