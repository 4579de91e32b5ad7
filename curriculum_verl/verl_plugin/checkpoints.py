"""Checkpoints of verl's trainer with a curriculum: its state in each, one kept for every stage, weights taken back."""

import logging
from abc import abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

from verl.trainer.ppo.utils import Role
from verl.trainer.ppo.v1.trainer_base import PPOTrainer

from curriculum_verl.atomic import replacing
from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Decision
from curriculum_verl.curriculum.state import read_state, write_state
from curriculum_verl.errors import InputError, StateError, with_hint
from curriculum_verl.locks import LOCK, lock
from curriculum_verl.rewards.running import RunningRewards
from curriculum_verl.runs.stage_checkpoints import (
    REWARDS,
    STAGES,
    STATE,
    keep_checkpoint,
    restored_checkpoint,
    stage_folder,
    unshare,
)
from curriculum_verl.verl_plugin.adapter import FOLDER, export_adapter
from curriculum_verl.verl_plugin.folders import IN_FLIGHT, TRACKER, forget_removed, is_whole, resumes_from
from curriculum_verl.verl_plugin.settings import PluginSettings
from curriculum_verl.verl_plugin.store import clear_in_flight

logger = logging.getLogger(__name__)


class CheckpointMixin(PPOTrainer):
    """What is saved at a step is what a resume needs to draw, weigh and switch as this run would have."""

    curriculum: Curriculum
    rewards: RunningRewards
    settings: PluginSettings
    _resumed = False  # until training begins, or verl validates before it
    _saved_step = 0  # of the last checkpoint in this run's folder

    @abstractmethod
    def _rollout_aside(self) -> AbstractContextManager[None]:
        """The rollout gives its memory to the trainer; afterwards it has the weights that the trainer has then."""

    @property
    def _root(self) -> Path:
        return Path(self.config.trainer.default_local_dir)

    def _claim_folder(self) -> None:
        """Until this process ends no other run may write checkpoints and metrics there."""
        refusal = f"{self._root}: another run trains there; wait for it, or choose another trainer.default_local_dir"
        try:
            self._lock = lock(self._root / LOCK, refusal)
        except OSError as error:
            raise InputError(with_hint(error)) from error

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        folder = resumes_from(self.config.trainer)
        if self.global_steps and folder is not None:
            self._resumed = True
            self._resume(folder)
            if folder.resolve() == self._folder().resolve():
                self._saved_step = self.global_steps
            self._make_up_for_stage(folder)

    def _folder(self) -> Path:
        return self._root / f"global_step_{self.global_steps}"

    def _resume(self, folder: Path) -> None:
        force = self.settings.resume == "force"
        if force and not (folder / STATE).exists():
            logger.warning("%s: holds no curriculum: it begins anew at step %d", folder, self.global_steps)
            self.curriculum.begin_at(self.global_steps)
            self._restored_tq_prompt_count = clear_in_flight()  # no curriculum has drawn them
            return
        differences = self.curriculum.load(folder / STATE, force=force)
        for difference in differences:
            logger.warning("the resumed curriculum differs: %s", difference)
        if any(difference.startswith(("data", "stages")) for difference in differences):
            self._restored_tq_prompt_count = clear_in_flight()  # their rows and stages are those of before
        if force and not (folder / REWARDS).exists():
            return
        try:
            self.rewards.load_state_dict(read_state(folder / REWARDS))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StateError(f"{folder / REWARDS}: is damaged ({reason}); resume from an earlier checkpoint") from error
        if self.curriculum.stopped:
            self.total_training_steps = self.global_steps

    def _save_state(self, folder: Path) -> None:
        write_state(folder / REWARDS, self.rewards.state_dict())
        self.curriculum.save(folder / STATE)

    def _save_checkpoint(self) -> None:
        if self._saved_step == self.global_steps:
            return
        folder = self._folder()
        self._unmark()
        unshare(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._save_state(folder)  # first: verl marks a checkpoint as the latest when all of it is there
        super()._save_checkpoint()
        self._saved_step = self.global_steps
        forget_removed(self._root, self.global_steps, self.config.trainer.get("max_actor_ckpt_to_keep"))

    def _unmark(self) -> None:
        """A run that went back writes over its later checkpoints: the latest one is not the latest meanwhile."""
        tracker = self._root / TRACKER
        if not tracker.is_file() or tracker.read_text().strip() != str(self.global_steps):
            return
        if (self._root / f"global_step_{self._saved_step}").is_dir():
            with replacing(tracker) as file:
                file.write(str(self._saved_step).encode())
        else:
            tracker.unlink()

    def _make_up_for_stage(self, folder: Path) -> None:
        """A run that was killed right after the checkpoint of a transition has not kept it yet."""
        last = self.curriculum.transitions[-1:]
        if last and last[0].step == self.global_steps and self.curriculum.config.checkpoint_stages:
            target = self._stage_folder()
            own = folder.resolve().is_relative_to((self._root / STAGES).resolve())
            if not target.exists() and not own:
                # The checkpoint may be of another run's stage, whose adapter is not to be shared and written over.
                keep_checkpoint(folder, target, self._finish, without=(FOLDER,))

    def _stage_folder(self) -> Path:
        number, name = self.curriculum.stage_number, self.curriculum.stage.name
        return stage_folder(self._root, number, name, self.global_steps)

    def _finish(self, folder: Path) -> None:
        """What a stage's checkpoint has beside verl's files."""
        self._save_state(folder)
        export_adapter(folder / "actor", folder / FOLDER, self.config.actor_rollout_ref.model.path)

    def _keep_stage(self, restored: Path | None = None) -> None:
        """Keep a checkpoint of the stage that begins; `restored` is the one whose weights were just loaded."""
        if restored is None:
            self._save_checkpoint()
            keep_checkpoint(self._folder(), self._stage_folder(), self._finish)
        else:
            keep_checkpoint(restored, self._stage_folder(), self._finish, without=(IN_FLIGHT, FOLDER))

    def _restore(self, decision: Decision) -> Path | None:
        """Load model and optimizer as they were when the stage that was rolled back began."""
        if decision.restore_step is None:
            return None
        folder = restored_checkpoint(self._root, self.curriculum.config.stages, decision, is_whole)
        logger.warning("curriculum: model and optimizer are those of %s again", folder)
        self.actor_rollout_wg.load_checkpoint(local_path=str(folder / "actor"), del_local_after_load=False)
        if self.use_critic:
            self.critic_wg.load_checkpoint(local_path=str(folder / str(Role.Critic)), del_local_after_load=False)
        return folder
