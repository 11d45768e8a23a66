"""Every tag that studbook writes, declared once: the table that the vocabulary is made of."""

from __future__ import annotations

from .keys import (
    BenchmarkConfigKey,
    BenchmarkKey,
    ConversionKey,
    DataKey,
    EvalKey,
    ExecKey,
    FoldKey,
    HardwareKey,
    ProtocolKey,
    RunKey,
    SpecKey,
    StudyFamilyKey,
    StudyKey,
    TrialKey,
)
from .manifest import ArtifactKind
from .run import EndReason
from .stage import Stage
from .tag import Tag
from .tag_types import BOOL, DIGEST, INT, JSON, STR, TIME, TagType, enum_of, key_of, one_of

SCHEMA = 3
PREFIX = "studbook."

_LETTERS = {
    "S": Stage.SWEEP,
    "T": Stage.TRIAL,
    "F": Stage.FOLD,
    "R": Stage.REFIT,
    "B": Stage.BENCHMARK,
    "L": Stage.SELECTION,
    "M": Stage.FINAL_TRAINING,
    "C": Stage.CONVERSION,
}
_ALL = "STFRBLMC"


def _tag(
    name: str,
    key: str,
    type_: TagType,
    meaning: str,
    *,
    on: str = "",
    may: str = "",
    aliases: tuple[str, ...] = (),
) -> Tag:
    required = frozenset(_LETTERS[letter] for letter in on)
    stages = required | {_LETTERS[letter] for letter in may}
    return Tag(name, PREFIX + key, type_, meaning, stages, required, aliases)


_RUN = key_of(RunKey)

_RUN_TAGS = (
    _tag("run.key", "run_key", _RUN, "this run", on=_ALL, aliases=("code.run_key_hash",)),
    _tag(
        "run.stage",
        "stage",
        enum_of(Stage),
        "the stage's name",
        on=_ALL,
        aliases=("code.stage", "mlflow.runType"),
    ),
    _tag("run.attempt", "attempt", INT, "which repetition of its subject, from 1", on=_ALL),
    _tag("run.schema", "schema", INT, "version of this vocabulary", on=_ALL),
    _tag("run.version", "version", STR, "studbook release", on=_ALL),
    _tag("run.project", "project", STR, "project", on=_ALL, aliases=("code.project",)),
    _tag("run.writer", "writer", STR, "journal that opened the run", on=_ALL),
    _tag(
        "run.environment",
        "environment",
        STR,
        "label of the place it ran at; decides nothing",
        on=_ALL,
        aliases=("code.execution_platform", "code.storage_env", "code.env"),
    ),
    _tag("run.created_by", "created_by", STR, "who ran it", may=_ALL, aliases=("code.created_by",)),
    _tag("run.parent_key", "parent_run_key", _RUN, "parent run", on="TFR", may="BLMC"),
    Tag(
        "run.parent_id",
        "mlflow.parentRunId",
        STR,
        "backend id of the parent run; written by the adapter, for nesting",
        frozenset(_LETTERS[letter] for letter in "TFRBLMC"),
        frozenset(),
        ("code.parent_run_id",),
    ),
    _tag("run.adopted", "adopted", BOOL, "the run existed before studbook recorded it", may=_ALL),
    _tag("run.ended_by", "ended_by", one_of("service"), "who ends the run, if not studbook", may=_ALL),
    _tag(
        "run.end_reason",
        "end_reason",
        enum_of(EndReason),
        "why it ended, unless FINISHED",
        may=_ALL,
        aliases=("code.interrupted", "interrupted"),
    ),
    _tag(
        "run.error",
        "error",
        STR,
        "the error of a FAILED run: type and first line",
        may=_ALL,
        aliases=("code.refit_error",),
    ),
    *(
        _tag(f"run.more_{what}", f"more_{what}", JSON, f"{what} beyond the backend's number", may=_ALL)
        for what in ("tags", "params", "metrics")
    ),
    _tag("run.migrated_from", "migrated_from", STR, "the run it is a copy of: store and run id", may=_ALL),
    _tag("run.last_seen", "last_seen", TIME, "last heartbeat delivered", may=_ALL),
    _tag("run.late_events", "late_events", BOOL, "events came after the run was reaped", may=_ALL),
)

_STUDY_TAGS = (
    _tag(
        "data.fingerprint",
        "data_fingerprint",
        key_of(DataKey),
        "data learnt from",
        on="SRM",
        aliases=("code.fingerprint.data",),
    ),
    _tag(
        "eval.fingerprint",
        "eval_fingerprint",
        key_of(EvalKey),
        "how scores are computed",
        on="SRM",
        aliases=("code.fingerprint.eval",),
    ),
    _tag(
        "data.mode",
        "data_mode",
        one_of("content", "declared", "undeclared"),
        "what the data key rests on",
        on="SRM",
    ),
    _tag("data.name", "data_name", STR, "name of the data", may="SRM"),
    _tag(
        "study.key",
        "study_key",
        key_of(StudyKey),
        "study",
        on="STFR",
        may="BLMC",
        aliases=(
            "code.study_key_hash",
            "code.grouping.study_key_hash",
            "code.lineage.hpo_study_key_hash",
        ),
    ),
    _tag(
        "study.family_key",
        "study_family_key",
        key_of(StudyFamilyKey),
        "what makes its scores comparable",
        on="STR",
        may="BM",
        aliases=("code.study_family_hash", "code.grouping.study_family_hash"),
    ),
    _tag("study.name", "study_name", STR, "label of the study", on="SR"),
    _tag(
        "study.model_family",
        "model_family",
        STR,
        "model family, in full",
        on="STFRBMC",
        aliases=("code.backbone", "code.model"),
    ),
    _tag(
        "study.objectives",
        "objectives",
        JSON,
        "[[metric, direction], …]",
        on="STR",
        aliases=("code.objective.direction",),
    ),
    _tag("study.legacy_key", "legacy_study_key", STR, "study key of a migrated run", may="STRBM"),
    _tag("trial.legacy_key", "legacy_trial_key", STR, "trial key of a migrated run", may="STRBM"),
)

_SWEEP_TAGS = (
    _tag(
        "sweep.outcome",
        "sweep_outcome",
        one_of("completed", "exhausted", "timeout", "stopped", "interrupted", "failed"),
        "how the session ended, at its end",
        may="S",
    ),
    _tag(
        "sweep.refit_planned",
        "refit_planned",
        BOOL,
        "a refit was asked for",
        on="S",
        aliases=("code.refit_planned",),
    ),
    _tag(
        "sweep.best_trial_key",
        "best_trial_key",
        key_of(TrialKey),
        "best trial of the study when the session ended",
        may="S",
    ),
    _tag(
        "sweep.best_run_key",
        "best_trial_run_key",
        _RUN,
        "run of that trial",
        may="S",
        aliases=("best_trial_run_id",),
    ),
)

_TRIAL_TAGS = (
    _tag(
        "trial.key",
        "trial_key",
        key_of(TrialKey),
        "trial",
        on="TFR",
        may="BMC",
        aliases=(
            "code.trial_key_hash",
            "code.grouping.trial_key_hash",
            "code.lineage.hpo_trial_key_hash",
        ),
    ),
    _tag(
        "trial.number",
        "trial_number",
        INT,
        "number in the study storage",
        on="TFR",
        aliases=("code.hpo.trial_number", "code.trial_number", "trial_number", "optuna.trial.number"),
    ),
    _tag("trial.state", "trial_state", one_of("COMPLETE", "PRUNED", "FAILED"), "state, at its end", may="T"),
    _tag("trial.params", "params", JSON, "typed params", on="TRM"),
    _tag("fold.key", "fold_key", key_of(FoldKey), "fold", on="F"),
    _tag("fold.index", "fold_index", INT, "index of the fold, from 0", on="F", aliases=("fold_idx",)),
    _tag("fold.digest", "fold_digest", DIGEST, "digest of the split", may="F"),
    _tag(
        "refit.of",
        "refit_of_run_key",
        _RUN,
        "the trial run that it stands for",
        on="R",
        aliases=("code.refit.of_trial_run_id",),
    ),
    _tag(
        "refit.protocol",
        "refit_protocol",
        key_of(ProtocolKey),
        "how it is trained",
        on="R",
        aliases=("code.refit_protocol_fp",),
    ),
    _tag("refit.reason", "refit_reason", one_of("best_trial", "champion", "requested"), "why", on="R"),
    _tag(
        "refit.validation",
        "refit_validation",
        one_of("none", "holdout"),
        "data held back",
        on="R",
        aliases=("code.refit_has_validation",),
    ),
)

_ARTIFACT_TAGS = tuple(
    _tag(f"artifact.{kind}", f"artifact.{kind}", DIGEST, f"content digest of the newest {kind}", may=_ALL)
    for kind in ArtifactKind
    if kind is not ArtifactKind.ANY
)

_BENCHMARK_TAGS = (
    _tag(
        "benchmark.key",
        "benchmark_key",
        key_of(BenchmarkKey),
        "subject, configuration and hardware",
        on="B",
        aliases=("benchmark_key",),
    ),
    _tag(
        "benchmark.config",
        "benchmark_config",
        key_of(BenchmarkConfigKey),
        "what is measured",
        on="B",
        aliases=("code.benchmark_config_hash",),
    ),
    _tag("benchmark.hardware", "benchmark_hardware", key_of(HardwareKey), "what it runs on", on="B"),
    _tag("benchmark.subject", "benchmark_subject", STR, "run key, or content digest of the model", on="B"),
    _tag("benchmark.environment", "benchmark_environment", JSON, "what makes it comparable", on="B"),
)

_SELECTION_TAGS = (
    _tag("selection.key", "selection_key", DIGEST, "digest of what the decision rests on", may="L"),
    _tag("selection.policy", "selection_policy", STR, "name of the policy", may="L"),
    _tag("selection.winner", "winner_trial_ref", STR, "ref of the winning trial", may="L"),
    _tag("selection.winner_refit", "winner_refit_ref", STR, "ref of its refit", may="L"),
    _tag("pointer.name", "pointer", STR, "champion pointer", may="L"),
    _tag("pointer.generation", "pointer_generation", INT, "its generation, from 1", may="L"),
    _tag("pointer.nonce", "pointer_nonce", STR, "breaks ties between writers", may="L"),
    _tag("pointer.ref", "pointer_ref", STR, "what it points to", may="L"),
    _tag("pointer.previous", "pointer_previous", INT, "the generation that it follows", may="L"),
)

_LINEAGE_TAGS = (
    _tag(
        "lineage.source",
        "lineage.source",
        one_of("selection", "refit", "final_training", "external", "scratch"),
        "what kind of run the input came from",
        on="BMC",
        aliases=("code.lineage.source",),
    ),
    _tag(
        "lineage.sweep",
        "lineage.sweep_run_key",
        _RUN,
        "ancestor: sweep session",
        may="BMC",
        aliases=("code.lineage.hpo_sweep_run_id",),
    ),
    _tag(
        "lineage.trial",
        "lineage.trial_run_key",
        _RUN,
        "ancestor: trial",
        may="BMC",
        aliases=("code.lineage.hpo_trial_run_id",),
    ),
    _tag(
        "lineage.refit",
        "lineage.refit_run_key",
        _RUN,
        "ancestor: refit",
        may="BMC",
        aliases=("code.lineage.hpo_refit_run_id",),
    ),
    _tag("lineage.selection", "lineage.selection_run_key", _RUN, "ancestor: selection", may="BMC"),
    _tag(
        "lineage.parent",
        "lineage.parent_run_key",
        _RUN,
        "the run whose files were the input",
        may="BMC",
        aliases=("code.lineage.parent_training_run_id", "source_training_run"),
    ),
)

_PRODUCT_TAGS = (
    _tag("training.spec", "spec", key_of(SpecKey), "what is trained", on="M", aliases=("code.spec_fp",)),
    _tag("training.exec", "exec", key_of(ExecKey), "what it runs on", on="M", aliases=("code.exec_fp",)),
    _tag("training.variant", "variant", INT, "repetition on purpose", on="M", aliases=("code.variant",)),
    _tag(
        "training.full_data",
        "full_data",
        BOOL,
        "no data was held back",
        on="M",
        aliases=("code.trained_on_full_data",),
    ),
    _tag(
        "conversion.key",
        "conversion_key",
        key_of(ConversionKey),
        "source, format, options and tool",
        on="C",
        aliases=("code.conv_fp",),
    ),
    _tag(
        "conversion.format",
        "conversion_format",
        STR,
        "target format",
        on="C",
        aliases=("conversion.format", "conversion_type"),
    ),
)

TAGS: tuple[Tag, ...] = (
    *_RUN_TAGS,
    *_STUDY_TAGS,
    *_SWEEP_TAGS,
    *_TRIAL_TAGS,
    *_ARTIFACT_TAGS,
    *_BENCHMARK_TAGS,
    *_SELECTION_TAGS,
    *_LINEAGE_TAGS,
    *_PRODUCT_TAGS,
)
