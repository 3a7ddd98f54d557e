"""Go templates of ApplicationSets, rendered by Helm: it has the same engine, and the functions of sprig, too.

A chart is made of the texts, each a template of its own, and of their parameters as a file, and rendered once
for all of them. Where Helm differs from Argo CD (baseTemplate in applicationset/utils/utils.go) the text is
refused, but for what can be said in other words: `normalize`, and `missingkey=error`, which Helm does not
have: each field of a mapping is asked for before it is taken.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gitops_backup.errors import one_line
from gitops_backup.sources.applicationsets.parameters import CannotEvaluate, Texts, Values
from gitops_backup.sources.applicationsets.templating import Asked
from gitops_backup.sources.rendering import HelmOptions, Renderer, RenderFailed

MISSING = "the parameters have no field "
"""How a rendering's complaint about a field that is not there begins."""


@dataclass(frozen=True, slots=True)
class GoTemplating:
    """Go templates with these options (`goTemplateOptions`)."""

    renderer: Renderer
    options: Sequence[str] = ()

    def __call__(self, asked: Sequence[Asked]) -> list[str]:
        """What becomes of each text. Raises `CannotEvaluate`."""
        strict = _is_strict(self.options)
        results = [each.text for each in asked]
        numbers = [n for n, each in enumerate(asked) if not each.tried or _is_complete(each)]
        if not numbers:
            return results
        for number, text in zip(numbers, self._rendered([asked[n] for n in numbers], strict), strict=True):
            results[number] = text
        return results

    def _rendered(self, asked: Sequence[Asked], strict: bool) -> list[str]:
        users: dict[str, list[Values]] = {}
        for each in asked:
            users.setdefault(each.text, []).append(each.values)
        texts = {text: n for n, text in enumerate(users)}
        values: dict[int, tuple[int, Values]] = {}
        for each in asked:
            values.setdefault(id(each.values), (len(values), each.values))
        data = {
            "parameters": [held for _, held in values.values()],
            "asked": [[f"text-{texts[each.text]}", values[id(each.values)][0]] for each in asked],
        }
        files = {
            "set/Chart.yaml": b"apiVersion: v2\nname: set\nversion: 0.0.0\n",
            "set/data.json": json.dumps(data).encode(),
            "set/templates/result.yaml": _RESULT.encode(),
        }
        for text, number in texts.items():
            define = (
                f'{{{{ define "text-{number}" }}}}{_in_helm(text, users[text], strict=strict)}{{{{ end }}}}'
            )
            files[f"set/templates/_text-{number}.tpl"] = define.encode()
        try:
            output = self.renderer.helm(files, "set", HelmOptions(release="set", namespace="default"))
        except RenderFailed as error:
            raise CannotEvaluate(f"a template cannot be evaluated: {_told(error.message)}") from error
        found = {int(match[1]): json.loads(match[2]) for match in _LINE.finditer(output.decode())}
        if found.keys() != set(range(len(asked))):
            raise CannotEvaluate("a template cannot be evaluated: Helm did not print what it was asked for")
        return [str(found[number]) for number in range(len(asked))]


class _Token(NamedTuple):
    """A piece of a template: what stands outside of actions is one, of the kind `text`."""

    kind: str
    text: str


def _in_helm(text: str, users: Sequence[Values], *, strict: bool) -> str:
    """A template in such words that Helm makes of it what Argo CD does, for these parameters.

    Raises `CannotEvaluate`.
    """
    written: list[str] = []
    tokens = list(_tokens(text))
    for number, token in enumerate(tokens):
        if token.kind == "name":
            if token.text in _REFUSED:
                raise CannotEvaluate(f"a template uses {token.text}, which is not understood here")
            written.append(_NAMES.get(token.text) or token.text)
            if token.text == "index" and _is_of_texts(tokens[number + 1 : number + 3], users):
                written[-1] = "get"
        elif token.kind == "fields" and strict:
            if number and tokens[number - 1].text == ")":
                what = f"a template takes {token.text} of an expression in parentheses"
                raise CannotEvaluate(f"{what}, which is not understood here")
            written.append(_asked_for(token.text))
        else:
            written.append(token.text)
    return "".join(written)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while (start := text.find("{{", at)) >= 0:
        yield _Token("text", text[at : start + 2])
        at = start + 2
        comment = _COMMENT.match(text, at)
        if comment is not None:
            yield _Token("text", comment[0])
            at = comment.end()
            continue
        while not text.startswith("}}", at):
            match = _TOKEN.match(text, at)
            if match is None:
                raise CannotEvaluate(f"a template cannot be read: {one_line(text, limit=_SHOWN)}")
            yield _Token(str(match.lastgroup), match[0])
            at = match.end()
    yield _Token("text", text[at:])


def _is_of_texts(following: Sequence[_Token], users: Sequence[Values]) -> bool:
    """Whether a mapping of texts is looked into: there, what is missing is an empty text."""
    fields = next((token.text for token in following if token.kind == "fields"), "$.")
    if fields.startswith("$") and not fields.startswith("$."):
        return False
    found = {isinstance(_at(values, fields), Texts) for values in users}
    if len(found) > 1:
        raise CannotEvaluate(f"a template looks into {fields}, which is of several kinds")
    return found == {True}


def _asked_for(fields: str) -> str:
    """An expression for a way through mappings that fails where a field is not there."""
    base, *names = fields.split(".")
    expression = base or "."
    if len(names) > _DEEPEST:
        raise CannotEvaluate(f"a template takes {one_line(fields)}, which is too deep to be understood here")
    for name in names:
        failing = f"(fail {json.dumps(MISSING + name)})"
        expression = f'(get (or (and (hasKey {expression} "{name}") {expression}) {failing}) "{name}")'
    return expression


def _is_complete(asked: Asked) -> bool:
    """Whether all parameters that a text takes are there."""
    tokens = list(_tokens(asked.text))
    if any(token.kind == "name" and token.text in _BLOCKS for token in tokens):
        raise CannotEvaluate("values of a generator in a matrix have blocks, which are not understood there")
    fields = [token.text for token in tokens if token.kind == "fields"]
    return all(_at(asked.values, each) is not _NOTHING for each in fields)


def _at(values: object, fields: str) -> object:
    """What stands there in the parameters, or `_NOTHING`."""
    for name in fields.split(".")[1:]:
        if not isinstance(values, dict) or name not in values:
            return _NOTHING
        values = values[name]
    return values


def _is_strict(options: Sequence[str]) -> bool:
    """Whether what is missing is an error: the last option holds."""
    strict = False
    for option in options:
        if option not in _OPTIONS:
            raise CannotEvaluate(f"expected goTemplateOptions to be missingkey=..., not {one_line(option)}")
        strict = option == "missingkey=error"
    return strict


def _told(message: str) -> str:
    at = message.find(MISSING)
    return message[at:] if at >= 0 else message


_NOTHING = object()
_NAMES = {"normalize": 'include "normalize"'}
_SHOWN = 80
_DEEPEST = 6
_OPTIONS = frozenset(f"missingkey={what}" for what in ("default", "invalid", "zero", "error"))
_BLOCKS = frozenset({"if", "with", "range", "else", "end"})
_REFUSED = frozenset(
    # Helm has them, and Argo CD does not
    {"include", "required", "lookup", "getHostByName", "toToml", "fromToml", "fromJsonArray"}
    | {"toYamlPretty", "mustToYaml", "mustToToml", "mustFromToml", "env", "expandenv"}
    # Argo CD has them, and Helm does not, or others of the same name
    | {"slugify", "tpl", "fromYaml", "fromYamlArray", "fromJson"}
    # they would be parts of other templates
    | {"define", "template", "block"}
    # another result each time
    | {
        "now",
        "ago",
        "uuidv4",
        "randAlphaNum",
        "randAlpha",
        "randAscii",
        "randNumeric",
        "randBytes",
        "randInt",
    }
    | {"shuffle", "bcrypt", "htpasswd", "encryptAES", "genPrivateKey", "genCA", "genCAWithKey"}
    | {"genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey"}
)
_COMMENT = re.compile(r"(?:- )?\s*/\*.*?\*/\s*(?: -)?(?=\}\})", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*')"""
    r"|(?P<fields>(?:\$\w*)?(?:\.[^\W\d]\w*)+)"
    r"|(?P<variable>\$\w*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<number>\.?\d[\w.]*)"
    r"|(?P<other>\s+|[().|,=:+-])",
)
_LINE = re.compile(r'^  r([0-9]+): (".*")$', re.MULTILINE)
_RESULT = """\
{{- define "normalize" -}}
{{ regexReplaceAll "[^-a-z0-9.]" (lower .) "-" | trunc 253 | trimAll "-." }}
{{- end -}}
{{- $data := .Files.Get "data.json" | fromJson -}}
apiVersion: v1
kind: Result
metadata:
  name: result
texts:
{{- range $n, $asked := $data.asked }}
  r{{ $n }}: {{ include (index $asked 0) (index $data.parameters (int (index $asked 1))) | toJson }}
{{- end }}
"""
