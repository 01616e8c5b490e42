package androidx.activity.result

import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia

abstract class PickVisualMediaRequest internal constructor()

fun PickVisualMediaRequest(
    mediaType: PickVisualMedia.VisualMediaType = PickVisualMedia.ImageOnly,
): PickVisualMediaRequest = TODO()
