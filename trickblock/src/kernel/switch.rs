//! Detaching, and attaching again what was detached.

use std::{collections::BTreeSet, fs};

use super::{
    Attached, FilterError, Hook, Hooks, ModeChoice,
    attach::{make_dir, target},
    place::Place,
    programs::Programs,
};

impl Hooks {
    /// Detaches from all interfaces but `keep`, and removes pins of interfaces that are gone. Returns
    /// the names.
    pub fn detach_others(&self, keep: &[String]) -> Result<Vec<String>, FilterError> {
        let mut others = self.places()?;
        others.retain(|place| !keep.contains(&place.name));
        // Until the last program is gone, each must judge for itself.
        for place in others.iter().filter(|place| place.here) {
            self.judges_arrivals(place.ifindex, false)?;
        }
        others.iter().try_for_each(Place::detach)?;
        Ok(unique(others.into_iter().map(|place| place.name)))
    }

    /// `trickblock off`: detaches everywhere and remembers where. Returns the names.
    pub fn off(&self) -> Result<Vec<String>, FilterError> {
        if !self.pins.has_filter() {
            // A filter of another version: nothing here could attach it again.
            let names = self.detach_others(&[])?;
            self.forget_other_versions()?;
            return Ok(names);
        }
        // Marked first: whatever interrupts this, `on` undoes it.
        for place in self.places()?.iter().filter(|place| place.is_live()) {
            make_dir(&self.pins.switched_off_mark(&place.name, place.hook))?;
        }
        self.detach_others(&[])
    }

    /// Names of interfaces that are filtered, but are not in this network namespace.
    pub fn elsewhere(&self) -> Result<Vec<String>, FilterError> {
        let places = self.places()?;
        let here = |name: &String| places.iter().any(|place| place.here && place.name == *name);
        let live = places.iter().filter(|place| place.is_live());
        let names = unique(live.map(|place| place.name.clone()));
        Ok(names.into_iter().filter(|name| !here(name)).collect())
    }

    /// Interfaces that `off` detached.
    pub fn switched_off(&self) -> Vec<String> {
        unique(self.pins.switched_off().into_iter().map(|(name, _)| name))
    }

    /// Whether it is `off` that nothing is filtered.
    pub fn is_off(&self) -> Result<bool, FilterError> {
        Ok(!self.switched_off().is_empty() && self.attached()?.is_empty())
    }

    /// Removes what a filter of another ABI version left, once its links were taken over.
    pub fn forget_other_versions(&self) -> Result<(), FilterError> {
        let failed = FilterError::io("remove old pins below", self.pins.root().display());
        self.pins.remove_other_versions().map_err(failed)
    }

    /// Makes `off` undone without attaching anywhere.
    pub fn forget_switched_off(&self) -> Result<(), FilterError> {
        let marks = self.pins.switched_off();
        marks.into_iter().try_for_each(|(name, hook)| {
            let mark = self.pins.switched_off_mark(&name, hook);
            fs::remove_dir(&mark).map_err(FilterError::io("remove", mark.display()))
        })
    }

    /// `trickblock on`: attaches the pinned programs where `off` detached them; an error is returned
    /// after all of them were tried.
    pub fn on(&self, choice: ModeChoice) -> Result<Vec<Attached>, FilterError> {
        let programs = Programs::pinned(&self.pins)?;
        // One that fails must not keep the others off.
        let tried: Vec<_> = self
            .pins
            .switched_off()
            .into_iter()
            .map(|(name, hook)| self.attach_again(&programs, &name, hook, choice))
            .collect();
        tried.into_iter().collect()
    }

    fn attach_again(
        &self,
        programs: &Programs,
        name: &str,
        hook: Hook,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let attached = self.attach_hook(programs, &target(name)?, hook, choice)?;
        let _ = fs::remove_dir(self.pins.switched_off_mark(name, hook));
        Ok(attached)
    }
}

/// Sorted names, each once.
fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}
