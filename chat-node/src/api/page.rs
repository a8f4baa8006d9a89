//! Pages of lists: where one begins, how long it is, and where the next one begins.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::channels::history::PageSize;

/// Which page of a list is asked for.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page<C: ToSchema> {
    /// The `next` of the page before; the first page if absent.
    pub after: Option<C>,
    /// How many, 50 if absent.
    #[serde(default)]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    pub limit: PageSize,
}

impl<C: Ord + ToSchema> Page<C> {
    /// This page of a list that is there as a whole, in order of its cursors, and where the next one begins.
    pub fn of<T>(&self, mut list: Vec<T>, cursor: impl Fn(&T) -> C) -> (Vec<T>, Option<C>) {
        list.retain(|item| self.after.as_ref().is_none_or(|after| cursor(item) > *after));
        list.sort_unstable_by_key(&cursor);
        let size = usize::from(self.limit.get());
        let has_more = list.len() > size;
        list.truncate(size);
        let next = list.last().filter(|_| has_more).map(cursor);
        (list, next)
    }
}

/// Where the page after a full one begins. A full page may be the last one; then the next one is empty.
pub(super) fn after_full<T, C>(list: &[T], size: PageSize, cursor: impl Fn(&T) -> C) -> Option<C> {
    list.last().filter(|_| list.len() >= usize::from(size.get())).map(cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_until_nothing_is_left() {
        let mut page = Page { after: None, limit: 2.try_into().unwrap() };
        let mut seen = Vec::new();
        loop {
            let (items, next) = page.of(vec![5, 1, 4, 2, 3], |item| *item);
            seen.extend(items);
            match next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        page.after = None;
        assert_eq!(page.of(vec![2, 1], |item| *item), (vec![1, 2], None));
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let size = 2.try_into().unwrap();
        assert_eq!(after_full(&[7, 8], size, |item| *item), Some(8));
        assert_eq!(after_full(&[7], size, |item| *item), None);
    }
}
