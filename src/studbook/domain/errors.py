"""Every error that studbook raises: one tree, and each error says what to do next."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar


class StudbookError(Exception):
    """The root. `problem` says what is wrong, `cure` what to do next; `details` are for programs.

    `exit_code` is what the command line ends with: 1 failed, 2 usage, 3 nothing matches, 4 needs attention.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, cure: str, **details: object) -> None:
        super().__init__(problem)
        self.problem = problem
        self.cure = cure
        self.details = details

    def __str__(self) -> str:
        return f"{self.problem} ({self.cure})" if self.cure else self.problem

    def __reduce__(self) -> tuple[Callable[..., StudbookError], tuple[object, ...]]:
        return _rebuild, (type(self), self.problem, self.cure, self.details)


def _rebuild(kind: type[StudbookError], problem: str, cure: str, details: dict[str, object]) -> StudbookError:
    return kind(problem, cure=cure, **details)


class ConfigError(StudbookError):
    """Settings, target or specification are not usable as they stand."""

    exit_code = 2


class NoSweepJobs(ConfigError):
    """The tracking target is one that runs no sweep jobs."""


class UnsupportedTarget(ConfigError):
    """The tracking URI's scheme is none that studbook delivers to."""


class SameStore(ConfigError):
    """The source and the destination of a migration are one store."""


class PolicyInvalid(ConfigError):
    """A selection policy that cannot be applied to anything."""


class RunContextInvalid(ConfigError):
    """A child process was handed a context that does not parse."""


class InvalidInput(StudbookError):
    """A value given by the caller that studbook cannot record truthfully."""

    exit_code = 2


class IdentityError(InvalidInput):
    """A value that has no canonical form; names its place inside the whole."""


class KeyReferenceInvalid(InvalidInput):
    """A text that names no key: of another kind, or too short."""


class KeyAmbiguous(InvalidInput):
    """The first digits of several keys; `details["matches"]` are all of them."""


class StudyInvalid(InvalidInput):
    """A study that cannot be searched: empty space, no trials, contradicting options."""


class TrialParamsInvalid(InvalidInput):
    """Params that are missing, unknown or out of the study's search space."""


class FoldsInvalid(InvalidInput):
    """Folds that overlap, repeat or do not cover what they claim."""


class StratifyImpossible(FoldsInvalid):
    """A label has fewer members than there are folds."""


class MetricNameInvalid(InvalidInput):
    """A metric name that some backend would refuse, or that studbook derives by itself."""


class MetricValueInvalid(InvalidInput):
    """A metric value that is not a number."""


class ParamInvalid(InvalidInput):
    """A param name or value that cannot be stored."""


class ParamConflict(InvalidInput):
    """A param was recorded before with another value; params never change."""


class NameInvalid(InvalidInput):
    """A blank, over-long or unportable run or experiment name."""


class TagInvalid(InvalidInput):
    """A tag key or value that not every backend can hold."""


class ReservedTag(TagInvalid):
    """A user's write to a tag that belongs to studbook or to a backend."""


class UndeclaredTag(TagInvalid):
    """A tag that the vocabulary does not declare, or not on this stage."""


class TagConflict(TagInvalid):
    """An identity tag would be rewritten with another value."""


class RunIdInvalid(InvalidInput):
    """What was given as a run of the backend is none."""


class NotASweepJob(InvalidInput):
    """What was given as a sweep job is a job of another type."""


class RunEnded(StudbookError):
    """The run has a terminal status, and terminal is final."""


class NotYourRun(StudbookError):
    """A child process tried what only the run's owner may do."""


class HomeUnusable(StudbookError):
    """The studbook home cannot be created, read or written."""


class JournalError(StudbookError):
    """The event log could not take or give back an event."""


class EventRefused(JournalError):
    """An event that the log will never take: it has no JSON text, or the log is closed."""


class JournalCorrupt(JournalError):
    """A journal line whose checksum does not hold, elsewhere than at a torn end."""

    exit_code = 4


class DeliveryPending(StudbookError):
    """Not everything was delivered in the given time; says what is still pending. Nothing is lost."""

    exit_code = 4


class RefusalNotFound(StudbookError):
    """No refused event has this name."""

    exit_code = 3


class TrackingError(StudbookError):
    """The tracking backend did not do what was asked."""


class TrackingUnavailable(TrackingError):
    """The backend cannot be reached or answers that it cannot serve now; safe to repeat."""


class TrackingDenied(TrackingError):
    """The backend refuses these credentials."""

    exit_code = 4


class TrackingRefused(TrackingError):
    """The backend refuses this write for good; repeating it will not help."""


class ParamRefused(TrackingRefused):
    """The store holds another value for a param of this run."""


class RunNotFound(TrackingError):
    """No run has this key or id."""

    exit_code = 3


class RunDeleted(TrackingRefused):
    """The run was deleted in the backend, and takes no writes."""


class ExperimentNotFound(TrackingError):
    """No active experiment has this name."""

    exit_code = 3


class ExperimentDeleted(TrackingRefused):
    """An experiment of this name exists but is deleted."""


class SweepJobNotFound(TrackingError):
    """The workspace has no job of this name."""

    exit_code = 3


class MigrationBusy(TrackingError):
    """Another live process copies between the same two stores."""

    exit_code = 4


class StoreSchemaMismatch(TrackingError):
    """The database was made by another MLflow version, or is half-made."""

    exit_code = 4


class SpillMissing(TrackingError):
    """A long value's artifact is gone or altered."""

    exit_code = 4


class MalformedRun(TrackingError):
    """A stored run holds a value that its own vocabulary forbids."""

    exit_code = 4


class SweepError(StudbookError):
    """A sweep could not go on."""


class SweepFailed(SweepError):
    """Too many trials failed; says why they did."""


class StudyBusy(SweepError):
    """Another live process runs this study."""


class NoCompleteTrial(SweepError):
    """The study has no COMPLETE trial to build on."""

    exit_code = 3


class RefitError(StudbookError):
    """A refit could not be made or used."""


class RefitBusy(RefitError):
    """The same refit is running in another live process."""


class RefitMissing(RefitError):
    """A refit is required, and none maps to the trial."""

    exit_code = 3


class RefitNotUsable(RefitError):
    """The refit given by the caller fails the mapping's checks."""


class ChildProcessFailed(StudbookError):
    """A child process could not be started, or ended by a signal or with another exit code than 0."""


class ChildResultMissing(ChildProcessFailed):
    """A child process ended well, and left no valid result of its run."""


class ChildTimedOut(ChildProcessFailed):
    """A child process did not end within the time that its caller gave it, and was ended."""


class BenchmarkFailed(StudbookError):
    """The measured function raised, or a duration was not a positive number."""


class FinalTrainingFailed(StudbookError):
    """A final training ended without a valid model."""


class NothingToResume(StudbookError):
    """There is no unfinished variant to go on from."""

    exit_code = 3


class SelectionError(StudbookError):
    """A decision could not be made from what the stores hold."""


class NoCandidate(SelectionError):
    """Nothing is left to choose from; carries the funnel and the reasons."""

    exit_code = 3


class MixedObjectives(SelectionError):
    """The studies in scope disagree about the objective."""


class PolicyInputMissing(SelectionError):
    """The policy needs a value that no candidate has."""


class BenchmarksNotComparable(SelectionError):
    """No single environment covers all benchmarked candidates."""

    exit_code = 4


class SelectionRecordCorrupt(SelectionError):
    """A stored selection does not match its own digests."""

    exit_code = 4


class ReplayMismatch(SelectionError):
    """Recomputing a selection gave other bytes."""

    exit_code = 4


class PromotionConflict(SelectionError):
    """Another promotion came first."""

    exit_code = 4


class ArtifactError(StudbookError):
    """Files could not be stored, found or trusted."""


class ArtifactInvalid(ArtifactError):
    """The files are not what their kind demands."""


class ArtifactNameInvalid(ArtifactError):
    """An artifact name or path that is not portable."""

    exit_code = 2


class ArtifactNotFound(ArtifactError):
    """The run holds no such artifact."""

    exit_code = 3


class SourceChanged(ArtifactError):
    """The files changed while they were being read."""


class AcquisitionFailed(ArtifactError):
    """No source could serve the artifact; carries every try."""


class DestinationOccupied(ArtifactError):
    """The destination holds something that is not ours to replace."""


class IntegrityError(ArtifactError):
    """Bytes do not have the digest that was promised."""


class PathTaken(IntegrityError):
    """A run holds other bytes at a path, or none, and its store writes a path once."""


class AcquireBusy(ArtifactError):
    """Another process is acquiring the same files."""


class NoSpace(ArtifactError):
    """Not enough free space for the files."""
